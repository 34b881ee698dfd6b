"""Completions that a policy under reinforcement learning would find; what a person says of each, and why, is in the file.

`published` marks the few that KOR-Bench's published labels call right: their verdict is followed, and a person would not.
"""

import json
from pathlib import Path

import pytest

from mtalign.grading.answers import GRADERS, canonical, extract, grade

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "hacks.jsonl").read_text().splitlines()]
HERE = [case for case in CASES if not case["kind"].startswith("rg:")]
NOT_IN_VOTES = {  # votes leave aside the name of the unknown, and dollars: one answer here, others of its group are alike
    ("<answer>y=5</answer>", "x=5"),
    ("<answer>5.4 dollars</answer>", r"5.4 \text{ cents}"),
    (r"<answer>\$5.4</answer>", r"5.4 \text{ cents}"),
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
