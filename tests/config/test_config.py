"""Grid files: what is wrong is said in one line with file and key; run ids are stable."""

import dataclasses
import re
import typing

import pytest
import yaml

from mtalign.config import paths
from mtalign.config.arms import ARMS, Objective, Reward
from mtalign.config.errors import ConfigError
from mtalign.config.grid import expand_grid, load_grid
from mtalign.config.run import BOUNDS, RECIPE, Run, make_run, out_of_bounds
from mtalign.notebook.pages import pages

GOOD = {
    "grid": {"model": ["micro-a"], "task": ["logic"], "arm": ["base", "standard"], "seed": [0]},
    "fixed": {"max_steps": 2},
}


def change(path, value):
    """A copy of GOOD with one nested key set (or removed, where value is None)."""
    content = {k: dict(v) for k, v in GOOD.items()}
    *parents, last = path.split(".")
    place = content
    for key in parents:
        place = place.setdefault(key, {})
    place.pop(last, None) if value is None else place.update({last: value})
    return content


@pytest.mark.parametrize(
    "path, value, said",
    [
        ("grd", {}, "grd: unknown key"),
        ("grid.modle", ["micro-a"], "grid: modle: unknown key"),
        ("grid.seed", None, "grid.seed: expected a list"),
        ("grid.seed", ["0"], "grid.seed: expected a whole number, got '0'"),
        ("grid.seed", [True], "grid.seed: expected a whole number"),
        ("grid.seed", [0, 0], "grid.seed: an entry is there twice"),
        ("grid.seed", [-1], "seed"),
        ("grid.arm", ["magic"], "grid.arm: unknown arm 'magic'"),
        ("fixed.learning_rat", 1.0, "learning_rat: unknown key"),
        ("fixed.learning_rate", "1e-6", "learning_rate: expected a number, got '1e-6' (YAML needs 1.0e-3)"),
        ("fixed.learning_rate", float("nan"), "learning_rate: expected 0 or more"),
        ("fixed.max_steps", 2.5, "max_steps: expected a whole number"),
        ("fixed.seed", 1, "fixed.seed: belongs in grid"),
        ("grid.fixed", {"seed": 1}, "grid.fixed: seed: belongs in grid"),
        ("grid.fixed", {"shotz": 1}, "shotz: unknown key; nearest: shots"),
        ("grid.fixed", {"shots": 8}, "shots: 8 has no effect in the style think; use direct"),
        (
            "fixed.num_generations",
            15,
            "num_generations: 15 does not divide generation_batch_size 256; the nearest is 255",
        ),
        ("fixed.steps_per_generation", 3, "steps_per_generation: 3 does not divide"),
        ("fixed.num_generations", 1, "num_generations: a group needs at least 2"),
        ("fixed.train_prompts", 1, "train_prompts: 1 rows are fewer than one rollout's 16 prompts"),
        ("fixed.reward", "gold", "reward: unknown value 'gold'"),
        ("arms.mine", {"reward": "gold"}, None),  # unused arms are not expanded
        ("arms.mine", 3, "arms.mine: expected a mapping"),
        ("fixed", [1], "fixed: expected a mapping"),
    ],
)
def test_a_wrong_grid_file_names_file_and_key(tmp_path, path, value, said):
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(change(path, value)))
    if said is None:
        load_grid(file)
        return
    with pytest.raises(ConfigError) as error:
        load_grid(file)
    assert said in str(error.value) and str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_grid_of_blocks_is_the_union_of_its_blocks_and_says_which_block_is_wrong(tmp_path):
    file = tmp_path / "blocks.yaml"
    first, second = GOOD["grid"], {**GOOD["grid"], "arm": ["base", "random"], "seed": [0, 1], "title": "Coins"}
    file.write_text(yaml.safe_dump({"grid": {"first": first, "second": second}, "fixed": GOOD["fixed"]}))
    grid = load_grid(file)
    assert [(r.arm, r.seed) for r in grid.runs] == [("base", 0), ("standard", 0), ("random", 0), ("random", 1)]
    assert grid.block({}).arms == ["base", "standard"] and grid.block({"block": "second"}).title == "Coins"
    file.write_text(yaml.safe_dump({"grid": {"first": first, "second": {**second, "seed": []}}}))
    with pytest.raises(ConfigError, match=r"grid\.second\.seed: expected a list"):
        load_grid(file)
    file.write_text(yaml.safe_dump({"grid": {"first": first}, "notebooks": {"final": {"10_verdicts": {"block": "x"}}}}))
    with pytest.raises(ConfigError, match="10_verdicts: block: unknown block 'x'; known: first"):
        load_grid(file)


@pytest.mark.parametrize("text", ["", "[", "a: b: c", "- 1", "\x00"])
def test_what_is_not_a_grid_is_refused(tmp_path, text):
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(file))):
        load_grid(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_grid(tmp_path / "none.yaml")


def test_every_number_of_a_run_has_its_bounds_and_no_infinity_passes():
    numbers = {f.name for f in dataclasses.fields(Run) if f.type in ("int", "float")}
    assert numbers == set(BOUNDS)
    for name in numbers:
        for wrong in (float("nan"), float("inf"), -float("inf"), 10**400):
            assert out_of_bounds(name, wrong)


def test_run_ids_differ_with_every_field():
    run = Run("m", "t")
    other = {int: 7, float: 0.123, str: "x", bool: True}
    ids = {run.run_id}
    for field in dataclasses.fields(Run):
        value = getattr(run, field.name)
        ids.add(dataclasses.replace(run, **{field.name: other[type(value)]}).run_id)
    assert len(ids) == 1 + len(dataclasses.fields(Run))


def test_run_ids_are_stable_across_versions_of_the_code():
    assert RECIPE == 1, "a new recipe needs new ids: update this test with them"
    assert Run("micro-a", "logic", seed=3).run_id == "micro-a.logic.standard.s3.4374c2c6a4"


def test_all_seeds_and_arms_share_one_base_run():
    runs = expand_grid("grid", [("m", "t")], list(ARMS), [0, 1, 2], {})
    assert sum(run.arm == "base" for run in runs) == 1
    untrained = [arm for arm, settings in ARMS.items() if settings.get("max_steps") == 0]
    assert len(runs) == len(untrained) + 3 * (len(ARMS) - len(untrained))
    assert {run.temperature for run in runs if run.arm in untrained} == {0.3, 0.5, 0.7, 1.0}
    assert len({run.run_id for run in runs}) == len(runs)


def test_what_a_run_needs_comes_before_it():
    runs = expand_grid("grid", [("m", "t")], ["one_shot", "k_shot", "random"], [0, 1], {"max_steps": 5})
    for position, run in enumerate(runs):
        assert all(runs.index(needed) < position for needed in run.needs)


def test_the_history_comes_from_the_standard_run_of_the_grid():
    runs = expand_grid("grid", [("m", "t")], ["standard", "one_shot"], [0], {"learning_rate": 1e-3, "max_steps": 9})
    one_shot = next(run for run in runs if run.arm == "one_shot")
    assert [run.arm for run in one_shot.needs] == ["base", "standard"] and one_shot.needs[1] in runs


def test_any_reward_subset_objective_is_a_run_or_a_clear_error():
    refused = set()
    for reward in typing.get_args(Reward):
        for subset in ("full", "one_shot", "k_shot"):
            for objective in typing.get_args(Objective):
                try:
                    make_run(
                        "x", {"model": "m", "task": "t", "reward": reward, "subset": subset, "objective": objective}
                    )
                except ConfigError as error:
                    assert "objective" in str(error)
                    refused.add((reward, objective))
    confident = ("entropy", "entropy_token", "entropy_token_sum", "entropy_sequence")
    objectives = [objective for objective in typing.get_args(Objective) if objective != "grpo"]
    assert refused == {(reward, objective) for reward in confident for objective in objectives}


@pytest.mark.parametrize("name", ["quick", "tiny", "study"])
def test_shipped_grids_load(name):
    assert load_grid(paths.shared("params") / f"{name}.yaml").runs


def test_a_block_can_have_values_of_its_own_and_its_base_is_evaluated_with_them(tmp_path):
    block = {"model": ["micro-a"], "task": ["logic"], "arm": ["base", "standard"], "seed": [0]}
    grid = {f"shots_{n}": block | {"fixed": {"shots": n}} for n in (0, 8)}
    books = {"final": {"10_verdicts": None, "10_verdicts.eight": {"block": "shots_8"}}}
    content = {"grid": grid, "fixed": {"style": "direct", "max_steps": 2}, "notebooks": books}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    found = load_grid(tmp_path / "own.yaml")
    shots = {name: {(run.arm, run.shots) for run in block.runs} for name, block in found.blocks.items()}
    assert shots == {f"shots_{n}": {("base", n), ("standard", n)} for n in (0, 8)} and len(found.runs) == 4
    given = [page.parameters for page in pages(found)]
    assert [p["settings"]["shots"] for p in given] == [0, 8] and {p["max_steps"] for p in given} == {2}


def test_the_number_of_examples_in_the_prompt_leaves_older_names_as_they_are():
    assert Run("m", "t", style="direct", shots=3).run_id == Run("m", "t", style="direct").run_id
    assert Run("m", "t", style="direct", shots=8).base.shots == 8
