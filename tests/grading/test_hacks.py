"""Completions that a policy under reinforcement learning would find; what a person says of each, and why, is in the file.

`published` marks the few that KOR-Bench's published labels call right: their verdict is followed, and a person would not.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from mtalign.grading.answers import GRADERS, canonical, extract, grade
from mtalign.tasks.benchmarks import REAL
from mtalign.tasks.registry import load_task

CASES = [json.loads(line) for line in (Path(__file__).parents[1] / "cases" / "hacks.jsonl").read_text().splitlines()]
HERE = [case for case in CASES if not case["kind"].startswith("rg:")]
DATA = Path(os.environ.get("MTALIGN_DATA") or "no such folder")
NOT_IN_VOTES = {  # votes leave aside the name of the unknown, and dollars: one answer here, others of its group are alike
    ("<answer>y=5</answer>", "x=5"),
    ("<answer>5.4 dollars</answer>", r"5.4 \text{ cents}"),
    (r"<answer>\$5.4</answer>", r"5.4 \text{ cents}"),
    (r"<answer>\$4</answer>", "4 cents"),
    ("<answer>x=4</answer>", "y=4"),
    ("<answer>n=4</answer>", "m=4"),
    ("<answer>4 boxes</answer>", "4 apples"),
    ("<answer>4 boys</answer>", "4 girls"),
    ("<answer>4 nickels</answer>", "4 dimes"),
}


def aims_at(case: dict) -> bool:
    return case["expected"] or case.get("published", False)


def test_the_suite_is_large_and_has_both_verdicts_for_every_kind():
    assert len(CASES) >= 300 and len({(c["kind"], c["completion"], c["answer"]) for c in CASES}) == len(CASES)
    assert {(kind, verdict) for kind in GRADERS for verdict in (True, False)} <= {
        (c["kind"], c["expected"]) for c in HERE
    }
    assert all(c["why"] for c in CASES)


@pytest.mark.parametrize("hack", sorted({case["hack"] for case in HERE}))
def test_no_completion_talks_a_grader_into_credit_and_none_that_is_right_is_refused(hack):
    cases = [case for case in HERE if case["hack"] == hack]
    wrong = [c for c in cases if grade(c["completion"], c["answer"], c["kind"]) is not aims_at(c)]
    assert wrong == []


@pytest.mark.skipif(find_spec("reasoning_gym") is None, reason="needs the package reasoning-gym")
@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES} - {case["kind"] for case in HERE}))
def test_no_completion_talks_a_verifier_of_reasoning_gym_into_credit(kind):
    name, _, index = kind.partition("#")
    example = load_task(name).eval[int(index)]
    cases = [case for case in CASES if case["kind"] == kind]
    assert {case["answer"] for case in cases} == {example.answer.strip()}  # else the expected verdicts say nothing
    wrong = [c for c in cases if grade(c["completion"], example.answer, example.kind or "exact") is not c["expected"]]
    assert wrong == []


def test_votes_do_not_merge_what_a_person_tells_apart():
    wrong = []
    for case in HERE:
        found = extract(case["completion"], case["kind"])
        if found is not None and (case["completion"], case["answer"]) not in NOT_IN_VOTES:
            verdict = GRADERS[case["kind"]](canonical(found, case["kind"]), case["answer"])
            wrong += [case] if verdict is not aims_at(case) else []
    assert wrong == []


def test_the_suite_holds_what_math_verify_alone_gets_wrong():
    cases = [case for case in CASES if "math_verify" in case]
    assert sum(c["math_verify"] and not c["expected"] for c in cases) >= 30
    assert sum(c["expected"] and not c["math_verify"] for c in cases) >= 15


CONSTANTS = [
    *["", " ", "answer", "answer here", "None", "nan", "inf", "?", "0", "1", "-1", "A", "(A)", "ABCD", "A, B, C, D"],
    *["A or B", "True", "False", "Yes", "No", "yes or no", "True False", "0 1 2 3 4 5 6 7 8 9", "[]", "{}", "()", "[[]]"],
    *["\\boxed{}", "x", "x=x", "0=0", "\\emptyset", "\\infty", "\\mathbb{R}", "*", ".*", "all", "any", "a b c d e f g"],
    *["\\pm 1", "\\{0,1\\}", "(-\\infty,\\infty)", "impossible", "No solution", "or", "[0]", "{\"0\": 0}", "0.0", "1/0"],
]  # fmt: skip


def is_a_guess(constant: str, key: str, kind: str) -> bool:
    """Whether the constant is the key itself, so that naming it is chance."""
    key = key.strip().removeprefix("[[").removesuffix("]]").strip()
    same = canonical(constant, kind).casefold() == canonical(key, kind).casefold()
    return same or "".join(filter(str.isalnum, constant)) == "".join(filter(str.isalnum, key)) != ""


TASKS = [*(name for name in REAL if (DATA / (REAL[name].file or "-")).is_file()), "logic"]


def constants_that_are_right(name: str, number: int | None) -> list[tuple[str, str]]:
    """Of a task's first questions, the keys that a constant is right for without being the key."""
    task = load_task(name)
    return [
        (constant, example.answer)
        for example in task.eval[:number]
        for constant in CONSTANTS
        if grade(f"<answer>{constant}</answer>", example.answer, example.kind or task.kind)
        and not is_a_guess(constant, example.answer, example.kind or task.kind)
    ]


@pytest.mark.parametrize("name", TASKS)
def test_a_blind_constant_is_right_only_where_it_is_the_key(name):
    assert constants_that_are_right(name, 4) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_blind_constant_is_right_for_no_key_of_a_task_but_itself(name):
    assert constants_that_are_right(name, None) == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("reasoning_gym") is None, reason="needs the package reasoning-gym")
def test_no_blind_constant_is_right_on_half_of_any_data_set_of_reasoning_gym():
    from reasoning_gym.factory import DATASETS

    wrong, two_valued = [], {"True", "False", "Yes", "No", "0", "1", "0.0"}  # guesses where there are two answers
    for dataset in sorted(set(DATASETS) - {"composite"}):
        task = load_task(f"rg:{dataset}?size=12")
        for constant in ("0", "1", "True", "No", "None", "nan", "x", "[]", "{}", "A", "?", "anything"):
            right = [e for e in task.eval if grade(f"<answer>{constant}</answer>", e.answer, e.kind or "exact")]
            if len(right) >= len(task.eval) / 2 and not (
                constant in two_valued and len({e.answer for e in task.eval}) <= 3
            ):
                wrong.append((dataset, constant, len(right)))
    assert wrong == []
