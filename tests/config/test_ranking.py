"""Whose history ranks examples: a standard run as long as the arm, or the grid's one standard run."""

import pytest

from mtalign.config.errors import ConfigError
from mtalign.config.grid import expand_grid, load_grid
from mtalign.config.run import Run, make_run
from mtalign.study.plan import reasons

LONG = {"long": {"subset": "one_shot", "max_steps": 200}}
GRID = {"long": {"subset": "one_shot", "max_steps": 200, "ranking": "grid"}}
FIXED = {"max_steps": 20}


def runs(own, arms=("base", "standard", "long"), fixed=FIXED):
    return expand_grid("g.yaml", [("micro-a", "ordering")], list(arms), [0, 1], fixed, own)


def test_a_longer_arm_needs_standard_runs_of_its_own_and_with_ranking_of_the_grid_none():
    assert [run.max_steps for run in runs(LONG) if run.arm == "standard"] == [20, 20, 200, 200]
    found = runs(GRID)
    assert [run.max_steps for run in found if run.arm == "standard"] == [20, 20]
    long = next(run for run in found if run.arm == "long")
    assert long.max_steps == 200 and long.ranking == "max_steps=20" and long.standard in found


def test_names_of_older_runs_are_as_they_were():
    assert Run("dose-0.07", "arithmetic", "one_shot", 1, subset="one_shot").ranking == "own"
    equal = {"long": {"subset": "one_shot", "ranking": "grid"}}
    assert {r.run_id for r in runs(equal)} == {r.run_id for r in runs({"long": {"subset": "one_shot"}})}
    assert {
        r.run_id for r in runs(LONG, fixed={**FIXED, "ranking": "grid"}) if r.subset == "full" and r.max_steps < 200
    } == {r.run_id for r in runs(LONG) if r.subset == "full" and r.max_steps < 200}


@pytest.mark.parametrize("ranking", ["mine", "model=other", "max_steps="])
def test_another_ranking_is_refused_by_its_key(ranking):
    with pytest.raises(ConfigError, match=r"g\.yaml: ranking: expected own or grid"):
        make_run("g.yaml", {"model": "m", "task": "t", "subset": "one_shot", "ranking": ranking})


def test_a_standard_run_of_other_prompts_cannot_rank():
    own = {"long": {"subset": "one_shot", "train_prompts": 100, "ranking": "grid"}}
    with pytest.raises(ConfigError, match="the arm's train_prompts is not the grid's"):
        runs(own)


def test_the_plan_says_why_there_are_runs_that_no_arm_of_the_grid_is(tmp_path):
    text = "grid: {model: [micro-a], task: [ordering], arm: [base, standard, long], seed: [0, 1]}\nfixed: {max_steps: 20}\narms: {long: {subset: one_shot, max_steps: 200%s}}"
    (tmp_path / "a.yaml").write_text(text % "")
    (tmp_path / "b.yaml").write_text(text % ", ranking: grid")
    (reason,) = reasons(load_grid(tmp_path / "a.yaml"))
    assert reason.startswith("2 standard runs of 200 updates, to rank the examples of long")
    assert reasons(load_grid(tmp_path / "b.yaml")) == []
