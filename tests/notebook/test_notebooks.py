"""Notebook sources: thin, parameterised, without outputs; unknown parameters are refused inside them too."""

import json
import os
from pathlib import Path

import pytest

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.notebook import PARAMETERS
from mtalign.notebook.pages import notebook_parameters
from mtalign.notebook.session import start

SOURCES = sorted(paths.shared("notebooks").glob("*.ipynb"))
UNTRAINED = ["06_contamination", "13_published_data", "14_published_outcomes"]  # they have no runs
GOOD = {"model": "micro-a", "task": "logic", "arms": ["base"], "seeds": [0], "records": "x"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_source_is_thin_and_parameterised_and_has_no_outputs(source):
    cells = json.loads(source.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert not any(c["outputs"] or c["execution_count"] for c in code)
    assert sum("parameters" in c["metadata"].get("tags", []) for c in code) == 1
    for cell in code:
        lines = "".join(cell["source"]).splitlines()
        assert len(lines) <= 15 and not any(line.lstrip().startswith(("def ", "class ")) for line in lines)
    opening = "".join(cells[0]["source"])
    assert opening.startswith("# ") and "?" in opening and "**Prediction" in opening and "efute" in opening
    assert "Verdict" in "".join(cells[-2]["source"])


def test_parameters_are_read_as_papermill_reads_them_and_where_it_cannot(tmp_path):
    import ast

    import papermill

    for source in SOURCES:
        inspected = papermill.inspect_notebook(source)  # which leaves out a line with two equals signs
        ours = notebook_parameters(source)
        assert {n: ours[n] for n in inspected} == {n: ast.literal_eval(p["default"]) for n, p in inspected.items()}
        assert all("=" in str(ours[name]) for name in set(ours) - set(inspected))
    lines = ['task = "rg:gcd?size=60"  # two equals signs', 'model = "a#1"', 'arms = ["base",', '        "nsr"]']
    cell = {"cell_type": "code", "source": "\n".join(lines), "metadata": {"tags": ["parameters"]}}
    source = tmp_path / "own.ipynb"
    source.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert notebook_parameters(source) == {"task": "rg:gcd?size=60", "model": "a#1", "arms": ["base", "nsr"]}


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_default_parameters_make_possible_runs(source):
    parameters = notebook_parameters(source)
    if source.stem in UNTRAINED:
        assert "notebook.start" not in source.read_text() and parameters
        return
    assert set(parameters) <= set(PARAMETERS)
    assert start(parameters).runs


@pytest.mark.parametrize("name", UNTRAINED)
def test_without_data_or_model_a_notebook_says_what_is_needed_and_does_not_fail(name, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MTALIGN_DATA", raising=False)
    monkeypatch.setattr("mtalign.config.hub.reachable", lambda: False)
    monkeypatch.setattr("IPython.display.display", lambda *_: pytest.fail("there is nothing to show"))
    cells = json.loads((paths.shared("notebooks") / f"{name}.ipynb").read_text())["cells"]
    names = {"display": None}
    for cell in (c for c in cells if c["cell_type"] == "code"):
        exec("".join(cell["source"]).replace('"smollm2-135m-instruct"', '"micro-a"'), names)
    said = capsys.readouterr().out
    assert "MTALIGN_DATA" in said and said.count("\n") == 1


@pytest.mark.skipif("MTALIGN_DATA" not in os.environ, reason="needs MTALIGN_DATA")
def test_published_data_are_read_to_the_end(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *found: shown.extend(found))
    names = {"display": lambda *found: shown.extend(found)}
    for cell in json.loads((paths.shared("notebooks") / "13_published_data.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert "answer='12.8'" in capsys.readouterr().out and len(shown) >= 6


def test_no_executed_notebook_names_a_path_of_the_machine_it_ran_on():
    reports = Path(__file__).parents[2] / "reports"
    executed = [
        p for p in reports.glob("*/[!.]*.ipynb") if p.parent.name in ("study", "small", "alignment", "published")
    ]
    assert not [p.name for p in executed if any(word in p.read_text() for word in ("site-packages", "/tmp/", "/home/"))]


def test_the_layout_has_its_notebooks():
    names = {"01_alignment", "02_reward_signal", "03_one_shot", "04_negative_samples", "05_label_free", "10_verdicts"}
    assert names <= {source.stem for source in SOURCES}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"modle": "micro-a"}, "modle: unknown parameter"),
        ({"seeds": 3}, "seeds: expected a list"),
        ({"max_steps": "10"}, "max_steps: expected a whole number"),
        ({"model": "gpt-9"}, "unknown model"),
        ({"task": "chess"}, "unknown task"),
        ({"arms": ["magic"]}, "unknown arm"),
        ({"workers": 0}, "workers"),
        ({"settings": {"learning_rate": "1e-3"}}, "learning_rate: expected a number"),
    ],
)
def test_a_wrong_parameter_stops_the_notebook_before_any_compute(change, said):
    with pytest.raises(ConfigError, match=said):
        start(GOOD | change)


def test_other_names_of_a_notebook_are_left_alone():
    import math

    assert start(GOOD | {"_x": 1, "In": [], "Out": {}, "math": math, "print": print, "table": object()}).runs
