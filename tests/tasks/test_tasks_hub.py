"""Tasks of paper scale, whose training sets only the Hub has: `datasets.load_dataset` gives rows of the documented columns."""

import json
import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mtalign.cli.main import cli
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.hub import listed, listing
from mtalign.config.run import file_name
from mtalign.grading.answers import GRADERS, grade
from mtalign.models.load import checkpoint
from mtalign.notebook.pages import open_grid
from mtalign.tasks import benchmarks, registry, tested_programs
from mtalign.tasks.registry import load_task

data = pytest.mark.skipif(not os.environ.get("MTALIGN_DATA"), reason="needs MTALIGN_DATA, a folder of public data")
PAPER = paths.shared("params") / "paper.yaml"
GRIDS = [PAPER, *sorted((paths.shared("params") / "originals").glob("*.yaml"))]
PROBLEM = "Let $n$ be the number {}. What is $n^2$?"


def game(prompt, answer):
    """A row of SynLogic: its `reward_model` says nothing, the answer is in a JSON text."""
    return {
        "data_source": "val/game", "ability": "logic", "prompt": [{"role": "user", "content": prompt}],
        "reward_model": {"answer": "", "solution": "", "style": "rule"},
        "extra_info": {"game_data_str": json.dumps({"question": prompt, "answer": answer, "metadata": {}}), "index": 0},
    }  # fmt: skip


SUBJECT = {subject: i for i, subject in enumerate(benchmarks.MATH_SUBJECTS)}
ROWS = {
    ("HuggingFaceH4/MATH-500", None, "test"): [{"problem": PROBLEM.format(i), "answer": str(i * i)} for i in range(10)],
    ("math-ai/amc23", None, "test"): [{"question": PROBLEM.format(20 + i), "answer": 400.0} for i in range(2)],
    ("math-ai/aime24", None, "test"): [{"problem": PROBLEM.format(30), "solution": r"\boxed{900}"}],
    ("math-ai/aime25", None, "test"): [{"problem": PROBLEM.format(31), "answer": "961"}],
    ("agentica-org/DeepScaleR-Preview-Dataset", None, "train"): [
        *({"problem": PROBLEM.format(i), "answer": str(i * i), "solution": ""} for i in range(100, 140)),
        {"problem": PROBLEM.format(3).replace("$n$", "n"), "answer": "9", "solution": ""},  # MATH-500, written otherwise
        {"problem": PROBLEM.format(30), "answer": "900", "solution": ""},  # AIME
        {"problem": "No answer?", "answer": "", "solution": ""},
    ],
    ("MiniMaxAI/SynLogic", "easy", "train"): [
        *(game(f"Puzzle {i}", i) for i in range(20)), game("Puzzle -1", "me"), game("24 from 1 2 3 4", ""),
        game("Grid", [["A", "*"]]),
    ],
    ("MiniMaxAI/SynLogic", "easy", "validation"): [game(f"Puzzle -{i}", "me") for i in range(1, 5)],
} | {
    ("EleutherAI/hendrycks_math", subject, "train"): [
        {"problem": PROBLEM.format(200 + i), "level": "Level 1", "type": subject, "solution": rf"It is $\boxed{{{i}}}$."},
        {"problem": f"Half, of {subject}", "level": "Level 5", "solution": r"So $\fbox{\frac{1}{2}}$."},
        {"problem": f"Open, of {subject}", "level": "Level 5", "solution": "By induction."},
    ]
    for subject, i in SUBJECT.items()
} | {
    ("google-research-datasets/mbpp", "full", "train+test"): [
        {"text": f"Add {i}.", "test_list": [f"assert f({x}) == {x + i}" for x in (1, 2, 3)]} for i in range(20)
    ]
}  # fmt: skip


@pytest.fixture
def fake_hub(monkeypatch):
    """Only the training sets come from the fake Hub where MTALIGN_DATA has the others."""

    def load_dataset(path, name=None, split=None):
        return ROWS[path, name, split]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    caches = (benchmarks._load, tested_programs._load, registry._load_joined, registry._load_group)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_deepscaler_is_trained_on_without_what_is_held_out(fake_hub, monkeypatch):
    monkeypatch.delenv("MTALIGN_DATA", raising=False)
    task = load_task("deepscaler")
    assert len(task.train) == 40 and task.eval == load_task("math500").eval and task.kind == "math"
    assert "1 without an answer that can be graded, 2 that are in math500, amc23, aime24, aime25" in task.description
    joined = load_task("deepscaler>math500+amc23+aime24")
    assert [e.answer for e in joined.eval[-3:]] == ["400", "400", "900"] and joined.train == task.train
    assert {e.kind for e in joined.eval} == {"math"} and "2 that are in math500" in joined.description


def test_math_is_read_from_all_subjects_with_the_answer_in_its_box(fake_hub, monkeypatch):
    monkeypatch.delenv("MTALIGN_DATA", raising=False)
    task = load_task("math-train")
    answers = {e.prompt: e.answer for e in task.train}
    assert len(answers) == 14 and answers[PROBLEM.format(206)] == "6"
    assert answers["Half, of algebra"] == r"\frac{1}{2}" and "7 without an answer" in task.description
    assert grade(r"<answer>0.5</answer>", answers["Half, of geometry"], "math")


def test_synlogic_has_its_answers_in_the_game_data_and_is_evaluated_on_its_validation_split(fake_hub):
    task = load_task("synlogic")
    answers = {e.prompt: e.answer for e in task.train}
    assert len(answers) == 21 and answers["Puzzle 7"] == "7" and answers["Grid"] == '[["A", "*"]]'
    assert "Puzzle -1" not in answers and task.eval == load_task("synlogic-validation").eval and len(task.eval) == 4
    assert "1 without an answer that can be graded, 1 that are in synlogic-validation" in task.description
    assert not load_task("synlogic-validation").train


def test_at_most_200_questions_are_evaluated_of_a_set_for_evaluation_alone(fake_hub, monkeypatch):
    monkeypatch.setitem(ROWS, ("MiniMaxAI/SynLogic", "easy", "validation"), [game(f"Q{i}", i) for i in range(230)])
    assert len(load_task("synlogic-validation").eval) == 200


def test_a_column_that_is_not_there_is_one_line(fake_hub, monkeypatch):
    monkeypatch.setitem(ROWS, ("MiniMaxAI/SynLogic", "easy", "train"), [{"prompt": "a", "text": "b"}])
    with pytest.raises(ConfigError, match="synlogic: row 1: extra_info: expected text, not there; there are: prompt"):
        load_task("synlogic")


@data
@pytest.mark.parametrize("name", registry.GROUPS)
def test_a_group_has_as_many_questions_of_each_part_graded_in_its_way(name):
    task, parts = load_task(name), [load_task(part) for part in registry.GROUPS[name][1]]
    held_out = {e.prompt for e in task.eval}
    assert len(held_out) == len(task.eval) == 200 and not held_out & {e.prompt for e in task.train}
    assert len(task.train) == sum(len(part.train) for part in parts)
    for part in parts:
        mine = [e for e in task.eval if e.prompt in {p.prompt for p in part.eval}]
        assert len(mine) == 200 // len(parts) and {e.kind for e in mine} == {part.kind} <= set(GRADERS)
    assert task.chance == pytest.approx(sum(part.chance for part in parts) / len(parts), abs=0.01)


@data
def test_the_chance_of_a_joined_task_is_of_what_is_evaluated():
    joined = load_task("gsm8k>bbh-navigate+korbench-counterfactual")
    sizes = [len(load_task(name).eval) for name in ("bbh-navigate", "korbench-counterfactual")]
    expected = (0.5 * sizes[0] + 0.25 * sizes[1]) / sum(sizes)
    assert joined.single_answer == pytest.approx(expected) and joined.chance_is == "given"


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_name_in_a_large_grid_is_known_and_pinned(path):
    content = yaml.safe_load(path.read_text())["grid"]
    blocks = [content] if "model" in content else content.values()
    known = {*benchmarks.REAL, *registry.GROUPS, "mbpp"}
    for block in blocks:
        for model in block["model"]:
            assert checkpoint(model) is None and len(model.partition("@")[2]) == 40
            assert int(model.partition("@")[2], 16) and len(file_name(model)) < 80
        assert all(set(task.replace("+", ">").split(">")) <= known for task in block["task"])
        assert all(listed(model, task) for model in block["model"] for task in block["task"])


def test_every_task_of_the_hub_file_is_known():
    known = {name: benchmarks.REAL[parts[0]].hub for name, (_, parts) in registry.GROUPS.items()}
    known |= {name: source.hub for name, source in benchmarks.REAL.items()} | {"mbpp": tested_programs.HUB}
    assert all(known[name]["path"] == value["hub"] for name, value in listing()["tasks"].items())


@data
@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_large_grid_is_opened_with_its_tasks_and_evaluates_all_that_is_held_out(fake_hub, path, monkeypatch):
    if path == PAPER:
        with pytest.raises(ConfigError, match=r"paper.yaml: grid: task: task mbpp: .* off: set MTALIGN_RUN_PROGRAMS=1"):
            open_grid(path)
        monkeypatch.setenv("MTALIGN_RUN_PROGRAMS", "1")
        monkeypatch.setattr(tested_programs.grading, "start", lambda: None)  # not each platform can run programs
    grid = open_grid(path)
    for task in {run.task for run in grid.runs}:
        assert len(load_task(task).eval) <= min(run.eval_prompts for run in grid.runs)


def test_a_dry_run_of_the_papers_grid_knows_its_names(tmp_path: Path):
    result = CliRunner().invoke(cli, ["study", str(PAPER), "--dry-run", "--out", str(tmp_path)])
    assert result.exit_code == 0 and "needs GPUs" in result.output and "unknown" not in result.output
    planned = CliRunner().invoke(cli, ["plan", str(PAPER), "--device", "h100", "--out", str(tmp_path)])
    assert planned.exit_code == 0 and "GPU hours" in planned.output
