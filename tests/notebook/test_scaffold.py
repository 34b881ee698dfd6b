"""`mtalign new-notebook`: what it writes is a notebook like ours, and runs as it is."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from test_notebooks import GOOD

from mtalign.cli.main import cli
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.notebook.pages import find_notebook, notebook_parameters
from mtalign.notebook.scaffold import new_notebook
from mtalign.notebook.session import start


def test_a_new_notebook_is_thin_and_parameterised_and_asks_a_question(tmp_path):
    path = new_notebook("short_answers", "format_only", tmp_path)
    cells = json.loads(path.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert "NAME" not in path.read_text() and not any(c["outputs"] for c in code)
    assert all(len("".join(c["source"]).splitlines()) <= 15 for c in code)
    opening = "".join(cells[0]["source"])
    assert "?" in opening and "**Prediction**" in opening and "Refuted" in opening
    assert start(notebook_parameters(path) | {"records": GOOD["records"]}).runs
    assert find_notebook(str(path)) == path


@pytest.mark.parametrize(
    "name, reward, said",
    [
        ("Short answers", "random", "name"),
        ("standard", "random", "name"),
        ("../x", "random", "name"),
        ("short", "magic", "reward: unknown value 'magic'"),
    ],
)
def test_bad_names_are_refused(tmp_path, name, reward, said):
    with pytest.raises(ConfigError, match=said):
        new_notebook(name, reward, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    new_notebook("short", "random", tmp_path)
    result = CliRunner().invoke(cli, ["new-notebook", "short", "--folder", str(tmp_path)])
    assert isinstance(result.exception, ConfigError) and "is there already" in str(result.exception)


@pytest.mark.slow
def test_the_tutorial_works_as_written(tmp_path):
    """The steps of "Your own claim in 15 minutes", with a small budget."""
    (tmp_path / "my_rewards.py").write_text(
        "from mtalign.grading import grade, text_of\n\n\n"
        "def short_answers(completions, answer, **columns):\n"
        "    texts = [text_of(c) for c in completions]\n"
        "    return [float(grade(t, a) and len(t) < 40) for t, a in zip(texts, answer)]\n"
    )
    path = new_notebook("short_answers", "my_rewards:short_answers", tmp_path)
    environment = {"PYTHONPATH": str(paths.PACKAGE.parent), "MTALIGN_RECORDS": str(tmp_path / "records")}
    command = [sys.executable, "-m", "papermill", path.name, "out.ipynb", "-y",
               "{seeds: [0], max_steps: 4, settings: {eval_prompts: 10, num_samples: 8}}"]  # fmt: skip
    import os

    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    said = "".join(cells[-1]["outputs"][0]["data"]["text/markdown"])
    assert "**short answers** on micro-a, ordering" in said and "share" in said
    pictures = [o["data"] for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert "accuracy on held-out prompts" in "".join(pictures[0]["text/plain"])
