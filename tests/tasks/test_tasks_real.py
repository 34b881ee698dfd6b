"""Benchmarks, JSONL files and generated tasks: disjoint, checked, one clear line where something is wrong."""

import json
import os
import subprocess
import sys
import time

import pytest

from mtalign.config import hub
from mtalign.config.errors import ConfigError
from mtalign.config.run import file_name
from mtalign.grading.answers import grade
from mtalign.grading.sandbox_process import is_formula
from mtalign.tasks.benchmarks import REAL
from mtalign.tasks.micro import MICRO
from mtalign.tasks.registry import load_task
from mtalign.tasks.rows import INSTRUCTION

data = pytest.mark.skipif(not os.environ.get("MTALIGN_DATA"), reason="needs MTALIGN_DATA, a folder of public data")


def write(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return f"jsonl:{path}"


@data
@pytest.mark.parametrize("name", [name for name, source in REAL.items() if source.file])
def test_splits_of_a_benchmark_are_disjoint_and_it_has_a_chance_level(name):
    task = load_task(name)
    train, held_out = ({e.prompt for e in split} for split in (task.train, task.eval))
    assert held_out and len(train) == len(task.train) and len(held_out) == len(task.eval) and not train & held_out
    assert bool(train) == REAL[name].train
    assert (
        0 <= task.single_answer <= 0.5
        and task.chance >= task.single_answer
        and task.chance_is in ("given", "estimated")
    )
    assert all(e.prompt.strip() and e.answer.strip() for e in task.train + task.eval)
    assert task.instruction == INSTRUCTION and not any(INSTRUCTION in e.prompt for e in task.eval)


@data
def test_chance_is_given_by_the_choices_and_estimated_without():
    chances = {name: load_task(name) for name in ("bbh-navigate", "korbench-counterfactual", "gsm8k")}
    assert [(t.single_answer, t.chance_is) for t in chances.values()][:2] == [(0.5, "given"), (0.25, "given")]
    assert chances["gsm8k"].chance < 0.06 and chances["gsm8k"].chance_is == "estimated"
    assert load_task("bbh-logical_deduction_three_objects").single_answer == pytest.approx(1 / 3)


@data
def test_korbench_prompts_hold_the_rule_before_the_question():
    for example in load_task("korbench-cipher").eval:
        assert example.prompt.startswith("### Cipher Rule:\n\n") and "\n\n### Question:\n" in example.prompt


@data
def test_dsr_sub_is_trained_on_in_its_order_and_evaluated_on_math500():
    task = load_task("dsr-sub")
    assert task.eval == load_task("math500").eval and len(task.train) == 1206
    assert task.train[0].answer == r"\frac{3}{7}" and "boxed" not in task.train[0].prompt


@data
def test_gsm8k_answers_are_numbers_and_whole_floats_are_whole():
    assert all(e.answer.lstrip("-").isdigit() for e in load_task("gsm8k").eval + load_task("amc23").eval)


def test_a_missing_data_file_is_one_line_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MTALIGN_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=r"math500\.jsonl: cannot be read"):
        load_task("math500")


ADVICE = {
    "math500": r"set MTALIGN_DATA to a folder with math/math500\.jsonl",
    "deepscaler": r"task deepscaler: agentica-org/DeepScaleR-Preview-Dataset could not be loaded .*; connect to the Hub",
    "math-train": r"task math-train: EleutherAI/hendrycks_math could not be loaded .*; connect to the Hub",
    "synlogic>synlogic-validation": r"task synlogic: MiniMaxAI/SynLogic could not be loaded .*; connect to the Hub",
    "bbh": r"set MTALIGN_DATA to a folder with bbh/boolean_expressions\.json",
}


def offline(path, **_):
    raise ConnectionError(f"Couldn't reach {path!r}\non the Hub (LocalEntryNotFoundError)")


def test_no_network_is_one_line_that_says_what_to_do(monkeypatch):
    monkeypatch.delenv("MTALIGN_DATA", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.load_dataset", offline)
    hub.reachable.cache_clear()
    for name, advice in ADVICE.items():
        with pytest.raises(ConfigError, match=advice) as caught:
            load_task(name)
        assert "\n" not in str(caught.value)
    hub.reachable.cache_clear()


def test_naming_and_listing_tasks_loads_nothing_heavy():
    code = "import mtalign.tasks, mtalign.tasks.benchmarks, sys; assert not {'torch', 'datasets', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_jsonl_file_is_a_task(tmp_path):
    name = write(tmp_path / "own.jsonl", *({"prompt": f"{i}+1=", "answer": i + 1} for i in range(10)), "")
    task = load_task(name)
    assert len(task.train) == len(task.eval) == 5 and task.chance_is == "estimated"
    assert task.chance in (0, 0.1)  # 0+1= shows its answer; whether it is held out depends on the name of the file
    assert {e.answer for e in task.train + task.eval} == {str(i + 1) for i in range(10)}
    assert task == load_task(name) and load_task(f"{name}?kind=choice").kind == "choice"
    assert "/" not in file_name(name)


GOOD = {"prompt": "1+1=", "answer": "2"}
BAD = {
    "empty": ([], "is empty"),
    "column": ([GOOD, {"prompt": "2+2="}], r"line 2: answer: expected text, not there; there are: prompt"),
    "type": ([GOOD, {"prompt": "2+2=", "answer": ["4"]}], r"line 2: answer: expected text, got \['4'\]"),
    "blank": ([GOOD, {"prompt": "2+2=", "answer": "  "}], r"line 2: answer: is blank"),
    "key": ([GOOD, {"prompt": "2+2=", "answer": "<answer>"}], r"line 2: answer: no completion could ever match"),
    "broken": ([GOOD, '{"prompt": '], "line 2: not JSON"),
    "list": ([GOOD, "[1]"], "line 2: expected an object"),
    "few": ([GOOD, GOOD], "at least 2 different prompts, got 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_jsonl_file_is_one_line_that_names_line_and_key(case, tmp_path):
    rows, said = BAD[case]
    with pytest.raises(ConfigError, match=said) as caught:
        load_task(write(tmp_path / "own.jsonl", *rows))
    assert "\n" not in str(caught.value) and "own.jsonl" in str(caught.value)


def test_a_missing_jsonl_file_and_an_unknown_kind_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_task(f"jsonl:{tmp_path}/none.jsonl")
    with pytest.raises(ConfigError, match="kind: unknown value 'nice'"):
        load_task(write(tmp_path / "own.jsonl", GOOD) + "?kind=nice")


def test_micro_prompts_are_as_they_were():
    """No instruction, no kind of their own: what the shipped models and records were made with."""
    for task in map(load_task, MICRO):
        assert task.instruction == ""
        if task.name != "programs":
            assert (task.kind, task.base_rate, task.single_answer) == ("exact", None, 1 / len(task.answers))
        assert not any(e.kind for e in task.train + task.eval)


def test_generated_tasks_are_disjoint_repeatable_and_of_the_size_asked():
    pytest.importorskip("reasoning_gym", reason="needs reasoning-gym")
    task = load_task("rg:leg_counting?size=60&max_animals=3")
    train, held_out = ({e.prompt for e in split} for split in (task.train, task.eval))
    assert len(train) == len(held_out) == 30 and not train & held_out
    other = load_task("rg:leg_counting?size=60&max_animals=3&seed=5")
    assert {e.prompt for e in other.eval} != held_out


@pytest.mark.parametrize(
    "name, said",
    [
        ("rg:chess_mate", "unknown dataset"),
        ("rg:leg_counting?legs=3", "legs: unknown setting; known: .*min_animals"),
        ("rg:leg_counting?size=few", "size: expected a whole number"),
        ("rg:leg_counting?min_animals=9&max_animals=3", "refuses the settings"),
        (
            "rg:basic_arithmetic?max_digits=1&max_terms=2&allow_parentheses=false&allow_negation=false&size=900",
            "size: only",
        ),
    ],
)
def test_wrong_settings_of_a_generated_task_are_one_line(name, said):
    pytest.importorskip("reasoning_gym", reason="needs reasoning-gym")
    with pytest.raises(ConfigError, match=said) as caught:
        load_task(name)
    assert "\n" not in str(caught.value)


def test_only_arithmetic_reaches_a_verifier_that_evaluates_its_input():
    assert is_formula("98 - 8 + 78*(91)") and is_formula("3*x**9 - x + C") and is_formula("sin(2*x)/2")
    for text in (
        "__import__('os')",
        "x.__class__",
        "(1).real",
        "open(x)",
        "9**9**9",
        "2**99999",
        "lambda: 1",
        "1" * 301,
    ):
        assert not is_formula(text)


@pytest.mark.slow
def test_verifiers_accept_other_right_answers_and_run_no_code(tmp_path):
    pytest.importorskip("reasoning_gym", reason="needs reasoning-gym")
    task = load_task("rg:countdown?size=20")
    example = task.eval[0]  # 259 from 98, 8, 78, 91: 98 - 8 + 78 + 91
    first, *_ = example.answer.split(" + ")
    assert grade(f"<answer>{example.answer}</answer>", example.answer, example.kind)
    assert grade(f"<answer>({example.answer})</answer>", example.answer, example.kind)
    assert not grade(f"<answer>{first}</answer>", example.answer, example.kind)
    made = tmp_path / "made"
    board = load_task("rg:spiral_matrix?size=6").eval[0]
    for text in (f"open({str(made)!r}, 'w')", f"[open({str(made)!r}, 'w')]", "[" * 5000, "9**9**9", "(" * 200):
        for e in (example, board):
            began = time.monotonic()
            assert not grade(f"<answer>{text}</answer>", e.answer, e.kind)
            assert time.monotonic() - began < 30  # the first waits for the process to start
    assert not made.exists()


DRAWN = """import sys
from mtalign.tasks.registry import load_task
for name in sys.argv[1:]:
    task = load_task(f"rg:{name}?size=6")
    print(name, [(example.prompt, example.answer) for example in [*task.eval, *task.train]])
"""


def drawn(names, hash_seed):
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", DRAWN, *names]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()


def test_questions_are_the_same_under_another_hash_seed():
    pytest.importorskip("reasoning_gym", reason="needs reasoning-gym")
    names = ["ransom_note", "polynomial_multiplication"]
    assert drawn(names, "1") == drawn(names, "2")


@pytest.mark.slow
def test_questions_of_every_data_set_of_reasoning_gym_are_the_same_under_another_hash_seed():
    factory = pytest.importorskip("reasoning_gym.factory", reason="needs reasoning-gym")
    names = sorted(set(factory.DATASETS) - {"composite"})
    assert [one for one, other in zip(drawn(names, "1"), drawn(names, "2"), strict=True) if one != other] == []
