"""What records say of their deviations: from the run's own settings, for arms of a grid's own too, and stated again in older records."""

import json
from pathlib import Path

import pytest

from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.recipes import ORIGINALS, original_of
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.report.index import said_once
from mtalign.runs.provenance import deviations_of, provenance
from mtalign.runs.restate import main, restate

PARAMS = Path(__file__).parents[2] / "params"
OLD = ["base models pretrained here", "16 prompts x 16 completions per rollout (theirs: 128 x 16), 2 updates per rollout (as theirs)"]  # fmt: skip
TRAINED = Run("micro-a", "logic", "majority_vote", reward="majority_vote", num_samples=4)


@pytest.fixture(scope="module")
def map_runs():
    return {run.arm: run for run in load_grid(PARAMS / "map.yaml").runs}


def of_rollouts(run):
    return [line for line in deviations_of(run) if "per rollout" in line]


@pytest.mark.parametrize(
    "arm, line",
    [
        ("standard_4", "64 prompts x 4 completions per rollout (the paper's scripts: 128 x 16), 2 updates per rollout (as theirs)"),
        ("majority_64", "4 prompts x 64 completions per rollout (TTRL: 8 x 64), 2 updates per rollout (TTRL: 8)"),
        ("majority_clipped", "16 prompts x 16 completions per rollout (TTRL: 8 x 64), 8 updates per rollout (as theirs)"),
        ("random_clipped", "16 prompts x 16 completions per rollout (Spurious Rewards: 64 x 16), 8 updates per rollout (as theirs)"),
        ("one_best", "16 prompts x 16 completions per rollout (One-shot RLVR: 128 x 8), 1 update per rollout (as theirs)"),
    ],
)  # fmt: skip
def test_rollouts_are_those_of_the_run(map_runs, arm, line):
    assert of_rollouts(map_runs[arm]) == [line]


def test_rollouts_of_another_batch_are_counted_too():
    run = next(run for run in load_grid(PARAMS / "decide_micro.yaml").runs if run.arm == "standard")
    assert of_rollouts(run)[0].startswith("4 prompts x 16 completions")


def test_what_is_as_theirs_is_no_deviation():
    assert of_rollouts(Run("micro-a", "logic", generation_batch_size=2048)) == []


@pytest.mark.parametrize(
    "arm, named, unnamed",
    [
        ("majority_vote", ["beta: 0.0 (TTRL: 0.001)"], "entropy_coef"),
        ("majority_400", ["beta: 0.0 (TTRL: 0.001)", "max_steps: 400 (TTRL: 1920)"], "entropy_coef"),
        ("nsr", ["entropy_coef: 0.0 (NSR, PSR, W-REINFORCE: 0.001)"], "beta"),
        ("one_best_slow", ["beta: 0.0 (One-shot RLVR: 0.001)", "learning_rate: 3e-05 (One-shot RLVR: 1e-06)"], "entropy_coef"),
        ("standard_50", ["max_steps: 50 (the paper's scripts: 600)"], "beta"),
    ],
)  # fmt: skip
def test_terms_of_the_originals_that_a_run_lacks_are_named_once(map_runs, arm, named, unnamed):
    lines = deviations_of(map_runs[arm])
    assert set(named) <= set(lines) and not any(line.startswith(unnamed) for line in lines)
    assert len(set(lines)) == len(lines) and len({line.partition(":")[0] for line in lines}) == len(lines)


def test_an_arm_has_its_original_by_what_it_does_not_by_its_name():
    built_in = {arm: Run("m", "t", arm, **settings) for arm, settings in ARMS.items()}
    assert {arm: original_of(run) for arm, run in built_in.items()} == {arm: ORIGINALS.get(arm) for arm in ARMS}
    renamed = Run("m", "t", "majority_vote")  # a grid may give the name to something else
    assert original_of(renamed) is None


def test_an_untrained_model_and_a_gated_reward_are_not_said_to_be_what_they_are_not():
    assert deviations_of(TRAINED.base) == [
        "base models pretrained here, of 85 thousand parameters", "answers compared after stripping spaces",
    ]  # fmt: skip
    assert "rewards not gated by format" in deviations_of(TRAINED)
    assert "rewards not gated by format" not in deviations_of(Run("micro-a", "logic", reward="random_gated"))
    assert "answers compared after stripping spaces" not in deviations_of(Run("code-0.10", "programs"))


def test_pages_say_each_line_once():
    lines = said_once(map(deviations_of, [TRAINED.base, TRAINED, TRAINED.standard]))
    assert len(lines) == len(set(lines)) and "beta: 0.0 (TTRL: 0.001)" in lines


@pytest.fixture
def old(tmp_path):
    """A folder of records with the words of an older version: two finished ones and a failure."""
    records = Records(tmp_path)
    for run in (TRAINED, TRAINED.base):
        result = {"status": "finished", "after": {"correct": [4, 1], "num_samples": 4}, "chance": 0.1, "seconds": 1.5}
        records.write(run, result | provenance(run) | {"deviations": OLD})
    records.write(TRAINED.standard, {"status": "failed", "reason": "because", "deviations": OLD})
    return records


def test_restating_changes_the_deviations_alone_and_once(old, capsys):
    before = {run: old.read(run) for run in (TRAINED, TRAINED.base, TRAINED.standard)}
    assert main([str(old.folder)]) == 0 and "2 of 2 finished records restated" in capsys.readouterr().out
    for run, record in before.items():
        now = old.read(run)  # checks the checksum
        assert {key for key in now if now[key] != record[key]} == (
            {"deviations", "checksum"} if run != TRAINED.standard else set()
        )
        assert (
            now["status"] == "failed" or now["deviations"] == provenance(run)["deviations"]
        )  # what a run computed again has
    contents = {path: path.read_bytes() for path in old.folder.iterdir()}
    assert restate(old.folder) == (0, 2) and {p: p.read_bytes() for p in old.folder.iterdir()} == contents


@pytest.mark.parametrize(
    "damage", [lambda r: r["config"].update(seed=3), lambda r: r.update(chance=0.5), lambda r: r.pop("config")]
)
def test_restating_hides_no_damage(old, damage):
    path = old.path(TRAINED)
    record = json.loads(path.read_text())
    damage(record)
    path.write_text(json.dumps(record, separators=(",", ":"), sort_keys=True))
    contents = {each: each.read_bytes() for each in old.folder.iterdir()}
    with pytest.raises(ConfigError, match=TRAINED.run_id):
        restate(old.folder)
    assert {each: each.read_bytes() for each in old.folder.iterdir()} == contents
