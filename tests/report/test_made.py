"""A report that is drawn again keeps its commit and command, and needs no package of its models."""

import json

import pytest

from mtalign.config.errors import ConfigError
from mtalign.notebook.pages import grid_of
from mtalign.report import made


def test_what_was_kept_is_read_again_whatever_the_commit_is_now(tmp_path, monkeypatch):
    made.keep(tmp_path, "mtalign study params/x.yaml", 12.3)
    first = made.kept(tmp_path)
    monkeypatch.setattr(made, "commit", lambda: "another")
    assert made.kept(tmp_path) == first and first["command"] == "mtalign study params/x.yaml" and first["seconds"] == 12


def test_a_report_without_it_says_that_it_was_not_kept(tmp_path):
    assert made.kept(tmp_path)["commit"] == "not kept"


@pytest.mark.parametrize("content", ["[]", "{", json.dumps({"commit": "x"})])
def test_a_file_that_is_not_ours_is_named(content, tmp_path):
    (tmp_path / made.FILE).write_text(content)
    with pytest.raises(ConfigError, match=r"made\.json"):
        made.kept(tmp_path)


def test_the_grid_of_a_report_is_read_where_its_model_is_not_installed(tmp_path):
    (tmp_path / "own.grid.yaml").write_text("grid: {model: [no-such-model], task: [logic], arm: [base], seed: [0]}")
    assert grid_of(tmp_path).pairs == [("no-such-model", "logic")]
