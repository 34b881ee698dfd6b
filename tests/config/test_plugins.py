"""Models, tasks and rewards of one's own: found by name, refused in one line, stale when their code has changed."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtalign.config import plugins
from mtalign.config.errors import ConfigError
from mtalign.config.run import Run, make_run
from mtalign.models.load import check_names
from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.runs.provenance import provenance, refuse_stale
from mtalign.tasks.base import Task
from mtalign.tasks.registry import load_task

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that writes a module of one's own; each has a new name, as modules are imported once."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(code):
        name = f"own_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return write


@pytest.mark.parametrize(
    "code, function, said",
    [
        ("", "short", "has no attribute 'short'"),
        ("short = 1", "short", "is not a function"),
        ("1 / 0", "short", "cannot be imported (ZeroDivisionError"),
    ],
)
def test_a_reward_that_cannot_be_had_is_one_line_that_names_the_key(own, code, function, said):
    name = f"{own(code)}:{function}"
    with pytest.raises(ConfigError) as error:
        make_run("grid.yaml", {"model": "micro-a", "task": "logic", "reward": name})
    assert str(error.value).startswith(f"grid.yaml: reward: {name}") and said in str(error.value)


TASK = (
    "from mtalign.tasks import Task, Example as E\ndef task(): return Task('t', 't', {train}, {held}, ('1',), {kind!r})"
)


@pytest.mark.parametrize(
    "code, said",
    [
        ("def task(): return 3", "gives int and not a Task"),
        (TASK.format(train="(E('a', '1'),)", held="()", kind="exact"), "empty"),
        (TASK.format(train="(E('a', '1'),)", held="(E('a', '1'),)", kind="exact"), "1 prompts are both"),
        (TASK.format(train="(E('a', '1'),)", held="(E('b', '1'),)", kind="magic"), "unknown kind 'magic'"),
    ],
)
def test_a_task_that_is_none_is_refused_by_name(own, code, said):
    name = f"{own(code)}:task"
    with pytest.raises(ConfigError, match=said):
        check_names([("micro-a", name)], "grid.yaml: grid")


def test_a_good_task_is_found(own):
    name = own(TASK.format(train="(E('a', '1'),)", held="(E('b', '1'),)", kind="exact")) + ":task"
    check_names([("micro-a", name)])
    assert isinstance(load_task(name), Task) and ":" not in Run("micro-a", name).run_id


def test_a_record_is_stale_when_the_module_has_changed(own, tmp_path):
    name = f"{own('def short(**columns): return []')}:short"
    run = Run("micro-a", "logic", reward=name)
    record = {"run_id": run.run_id, "config": vars(run), "plugins": plugins.digests(vars(run))} | provenance()
    refuse_stale([record], "records")
    Path(sys.modules[name.partition(":")[0]].__file__).write_text("def short(**columns): return [1]")
    with pytest.raises(ConfigError, match=r"1 stale records are not used.*another version of own_"):
        refuse_stale([record], "records")


def test_a_name_of_a_folder_with_a_colon_is_no_plugin():
    assert not plugins.is_plugin("/models/a:b") and not plugins.is_plugin("a b:c")


def test_the_example_trains_with_its_own_model_task_and_reward(tmp_path):
    """Through the command, as the README says; its notebooks are left out here."""
    grid = yaml.safe_load((EXAMPLES / "own.yaml").read_text())
    del grid["notebooks"]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(grid))
    environment = {"PYTHONPATH": f"{EXAMPLES}:{EXAMPLES.parents[1]}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "mtalign", "study", "own.yaml", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(EXAMPLES))
    try:
        runs = open_grid(tmp_path / "own.yaml").runs
        records = [Records(tmp_path / "out" / "records").read(run) for run in runs]
    finally:
        sys.path.remove(str(EXAMPLES))
    assert [r["status"] for r in records] == ["finished"] * 3
    assert set(records[-1]["plugins"]) == {"own:noisy_model", "own:even_ordering", "own:short"}
    assert all(int(s["prompt"][-2]) % 2 == 0 for r in records for s in r["after"]["samples"])


@pytest.mark.parametrize(
    "code, said",
    [
        ("import sys\nsys.exit(0)\n", "cannot be imported (SystemExit: 0)"),
        ("def model():\n    raise SystemExit(7)\n", "fails (SystemExit: 7)"),
        ("def model():\n    return 'nonsense'\n", "gives str and not (model, tokenizer) of transformers"),
        ("def model():\n    return (1, 2)\n", "gives tuple and not (model, tokenizer) of transformers"),
        ("def model():\n    return None\n", "gives NoneType and not (model, tokenizer) of transformers"),
    ],
)
def test_a_model_of_ones_own_that_is_none_is_said_before_anything_is_computed(tmp_path, monkeypatch, code, said):
    from mtalign.notebook.pages import open_grid

    name = f"odd_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    grid = tmp_path / "grid.yaml"
    grid.write_text(f"grid: {{model: ['{name}:model'], task: [ordering], arm: [base], seed: [0]}}\n")
    with pytest.raises(ConfigError, match="grid: model: ") as error:
        open_grid(grid, planned=True)
    assert said in str(error.value)
