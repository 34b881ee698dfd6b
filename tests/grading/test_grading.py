"""Extraction and grading by cases."""

import json
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from mtalign.grading.answers import GRADERS, canonical, extract, gradable, grade, vote

CASES = [
    json.loads(line) for line in (Path(__file__).parents[1] / "cases" / "adversarial.jsonl").read_text().splitlines()
]
MATHEMATICS = [  # what math-verify decides, not text or numbers
    ("<answer>x^2-1</answer>", "(x-1)(x+1)", "math"),
    (r"\boxed{2\sqrt{2}}", r"\sqrt{8}", "math"),
    (r"\boxed{(4,3)}", "(3,4)", "math"),
    ("[[5i + 5]]", "[[5+5i]]", "korbench-operation-math"),
    (r"\boxed{\sin^{9}(\cos(\tan(\sin(\cos(x)+1)+2)+3))}", r"x+\sqrt{2}", "math"),
]
VERDICTS = [True, True, False, True, False]


@pytest.mark.parametrize(
    "text, answer",
    [
        ("<answer>42</answer>", "42"),
        ("<answer>\n 42 \n</answer>", "42"),
        ("<think>write it in <answer>answer here</answer></think><answer>42</answer>", "42"),
        ("<answer>1</answer> or <answer>2</answer>", "2"),
        ("<answer>1</answer> <answer>2", "1"),
        ("<answer></answer>", None),
        ("<answer>  </answer>", None),
        ("</answer>42<answer>", None),
        ("42", None),
        ("", None),
    ],
)
def test_the_last_complete_answer_counts(text, answer):
    assert extract(text) == answer


@pytest.mark.parametrize(
    "text", ["<answer>" * 200_000, "</answer>" * 200_000, "<answer>" + "9" * 10**7 + "</answer>", "\0" * 10**6]
)
def test_no_completion_takes_long(text):
    began = time.process_time()
    assert grade(text, "42") is False
    assert time.process_time() - began < 2


def test_text_is_never_evaluated(tmp_path):
    assert not grade(f"<answer>open({str(tmp_path / 'x')!r}, 'w')</answer>", "1")
    assert not list(tmp_path.iterdir())


def test_choices_match_through_brackets_and_case():
    assert grade("<answer>(b)</answer>", "B", "choice") and not grade("<answer>(a)</answer>", "B", "choice")


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        grade("<answer>1</answer>", "1", "no such kind")


@pytest.fixture(scope="module")
def warm():
    grade(*MATHEMATICS[0])  # imports sympy


def test_adversarial_completions_get_their_verdict_in_2_s_of_processor_time_and_run_no_code(
    tmp_path, monkeypatch, warm
):
    monkeypatch.chdir(tmp_path)
    assert len(CASES) >= 100
    wrong, slow = [], []
    for case in CASES:
        began = time.process_time()
        verdict = grade(case["completion"] * case.get("times", 1), case["answer"], case["kind"])
        if verdict is not case["expected"]:
            wrong.append((case["completion"][:80], case["answer"], case["kind"], verdict))
        if time.process_time() - began >= 2:
            slow.append((case["completion"][:80], time.process_time() - began))
    assert wrong == [] and slow == []
    assert not list(tmp_path.iterdir())


def test_work_that_takes_too_long_is_stopped_and_the_next_verdict_is_given(monkeypatch, warm):
    from mtalign.grading import mathematics
    from mtalign.grading.sandbox import sandbox

    monkeypatch.setattr(mathematics, "MAX_SECONDS", 0.001)  # not even the fork is done by then
    mathematics._verdict.cache_clear()
    process = sandbox("math").process.pid
    assert not grade("<answer>y+1</answer>", "1+y", "math")
    monkeypatch.setattr(mathematics, "MAX_SECONDS", 60)
    assert grade("<answer>y+1</answer>", "1+y", "math")  # what was not decided in time is asked again
    assert sandbox("math").process.pid == process


def test_a_judge_that_was_killed_is_started_again(warm):
    from mtalign.grading.sandbox import sandbox

    sandbox("math").process.kill()
    assert not sandbox("math").ask({"found": "z", "truth": "1+z"}, 60)
    assert sandbox("math").ask({"found": "z+1", "truth": "1+z"}, 60) == 1


def test_a_verdict_has_its_own_processor_time_memory_and_no_file(tmp_path):
    code = f"""
import sys, time
from mtalign.grading.sandbox_process import limited
def forever():
    while True: pass
def writes():
    open({str(tmp_path / "made")!r}, "w").write("text" * 9999)
    return 1.0
began = time.process_time()
assert limited(forever, 60) == 0.0 and limited(writes, 60) == 0.0 and limited(lambda: len(bytes(8 << 30)), 60) == 0.0
assert limited(lambda: 1.0, 60) == 1.0 and limited(lambda: time.sleep(9), 0.05) is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not list(tmp_path.glob("made")) or (tmp_path / "made").read_bytes() == b""


@pytest.mark.parametrize(
    "kind, same, other",
    [
        ("math", ["0.5", r"\frac{1}{2}", r"\dfrac12", "$ 0.50 $", "x=1/2"], "0.05"),
        ("math", ["1,000", "1000", r"\$1000", "1000.0"], "100"),
        ("math", [r"2\sqrt{2}", r"2 \sqrt{2}", r"$2\sqrt{2}$"], r"\sqrt{2}"),
        ("choice", ["(B)", "b", "B."], "A"),
        ("korbench-cipher", ["N F", "NF", '"NF"'], "FN"),
        ("exact", ["0.5"], "0.50"),
    ],
)
def test_answers_that_are_the_same_are_one_vote(kind, same, other):
    votes = {vote(f"<answer>{answer}</answer>", kind) for answer in same}
    assert len(votes) == 1 and vote(f"<answer>{other}</answer>", kind) not in votes


def test_a_vote_is_graded_as_the_answer_that_it_stands_for(warm):
    for case in CASES:
        found = extract(case["completion"] * case.get("times", 1), case["kind"])
        if found is not None:
            verdict = GRADERS[case["kind"]](canonical(found, case["kind"]), case["answer"])
            assert verdict is case["expected"], (found[:80], case["kind"])


def test_grading_is_the_same_in_a_worker_thread(warm):
    with ThreadPoolExecutor(1) as pool:
        assert [pool.submit(grade, *case).result() for case in MATHEMATICS] == VERDICTS
    assert [grade(*case) for case in MATHEMATICS] == VERDICTS


def test_grading_is_the_same_in_a_spawned_process():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert [pool.submit(grade, *case).result() for case in MATHEMATICS] == VERDICTS


def test_importing_the_module_is_light():
    code = "import sys, mtalign.grading; assert not {'sympy', 'math_verify', 'torch', 'trl'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("key", ["", " ", "<answer>", "\n"])
@pytest.mark.parametrize("kind", ["exact", "choice", "math", "korbench-cipher"])
def test_a_key_that_nothing_matches_is_not_gradable(key, kind):
    assert not gradable(key, kind)
    assert gradable("42", kind)


@pytest.mark.parametrize(
    "text, kind, answer",
    [
        (r"\boxed{1} \boxed{\frac{1}{2}}", "math", r"\frac{1}{2}"),
        (r"\boxed{1} \boxed{2", "math", "1"),
        ("<think>\\boxed{1}</think>", "math", None),
        ("<answer>\\boxed{1}</answer> \\boxed{2}", "math", "1"),
        ("3 + 4 = 7\n#### 7", "math", "7"),
        ("so [[A]], or [[B]]", "korbench-logic", "A"),
        ("<answer>[[A]]</answer> <answer>B</answer>", "korbench-logic", "B"),
        ("[A]", "korbench-logic", "A"),
        ("[A]", "korbench-puzzle", None),
    ],
)
def test_the_text_decides_where_the_answer_stands(text, kind, answer):
    assert extract(text, kind) == answer
