"""Recipes: published settings (params/recipes.yaml), their translation to a `Run`, and where a run deviates from them.

What does not translate, and stays a deviation: verl's filter of groups and its refill by copies; TTRL's training on the
first 32 of 64 votes; a token mean per micro-batch (trl's is over the whole update); evaluation by one sample at top-p
0.7 (ours: `num_samples` samples at the training temperature, and greedy).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import yaml

from mtalign.config import paths
from mtalign.config.arms import ARMS
from mtalign.config.run import DEFAULTS, Run

LOSSES = {"token mean": "dapo", "sequence mean": "grpo"}  # theirs -> trl's loss_type
ORIGINALS = {  # arm -> the recipe of the work that made the claim
    "random": "spurious_rewards", "random_gated": "spurious_rewards", "incorrect": "spurious_rewards",
    "incorrect_released": "spurious_rewards", "inverted": "spurious_rewards", "format_only": "spurious_rewards", "format_one_line": "spurious_rewards",
    "one_shot": "one_shot", "k_shot": "one_shot", "majority_vote": "ttrl", "test_time": "ttrl", "nsr": "negative_samples",
    "psr": "negative_samples", "w_reinforce": "negative_samples", "nsr_released": "negative_samples",
    "psr_released": "negative_samples", "entropy": "entropy_minimisation", "entropy_direct": "entropy_minimisation",
}  # fmt: skip
TECHNIQUE = ("reward", "subset", "objective")  # what makes a run one of a technique, whatever its arm is called
ROLLOUT = ("generation_batch_size", "num_generations", "steps_per_generation")  # what `rollouts` puts in words


@lru_cache
def published() -> dict[str, dict]:
    """The published recipes, in the words of their frameworks."""
    return yaml.safe_load((paths.shared("params") / "recipes.yaml").read_text(encoding="utf-8"))


def translate(recipe: dict) -> dict:
    """A recipe as fields of a `Run`; those that it does not fix are left out.

    verl counts rollouts where trl counts updates; `generation_batch_size` counts completions.

    >>> fields = translate(published()["paper"])
    >>> fields["generation_batch_size"], fields["steps_per_generation"], fields["max_steps"], fields["warmup_steps"]
    (2048, 2, 600, 20)
    """
    updates = recipe["prompts"] // recipe["update_prompts"]  # of each rollout
    warmup = round(recipe["warmup_rollouts"] * updates)
    schedule = recipe["schedule"]
    fields = {
        "max_steps": recipe["rollouts"] and recipe["rollouts"] * updates,
        "learning_rate": recipe["learning_rate"],
        "lr_scheduler_type": "constant_with_warmup" if schedule == "constant" and warmup else schedule,
        "warmup_steps": warmup,
        "weight_decay": recipe["weight_decay"],
        "adam_beta2": recipe["beta2"],
        "max_grad_norm": recipe["grad_clip"],
        "generation_batch_size": recipe["prompts"] * recipe["group"],
        "num_generations": recipe["group"],
        "steps_per_generation": updates,
        "temperature": recipe["temperature"],
        "epsilon": recipe["clip_low"],
        "epsilon_high": recipe["clip_high"],
        "delta": recipe["dual_clip"] or 0.0,
        "beta": recipe["kl"],
        "entropy_coef": recipe["entropy"],
        "loss_type": LOSSES[recipe["loss"]],
        "max_completion_length": recipe["max_response"],
    }
    return {key: value for key, value in fields.items() if value is not None}


def original_of(run: Run) -> str | None:
    """The recipe of the work whose technique the run uses; None where there is none, so that the paper's scripts are its measure.

    What a run rewards, trains on and optimises says so, not the name of its arm: an arm that a grid defines itself has the
    original of the built-in arm that does the same.

    >>> original_of(Run("m", "t", "majority_4", reward="majority_vote", num_generations=4))
    'ttrl'
    >>> original_of(Run("m", "t", "standard_4", num_generations=4)) is None
    True
    """
    return _of_technique().get(tuple(getattr(run, name) for name in TECHNIQUE))


@lru_cache
def _of_technique() -> dict[tuple, str]:
    """Technique -> the recipe of its original, as the built-in arms have them."""
    settings = {arm: DEFAULTS | ARMS[arm] for arm in ORIGINALS}
    return {tuple(settings[arm][name] for name in TECHNIQUE): recipe for arm, recipe in ORIGINALS.items()}


def compare(run: Run) -> list[dict]:
    """The run beside the paper's scripts and the original of its arm, one row for each setting.

    Returns:
        Rows with `setting` (trl's name), `ours`, `paper` and `original` (None where a source does not fix it or there is
        no original), and `deviates`: whether ours differs from the original, or from the paper where there is none.
    """
    sources = ("paper", original_of(run))
    paper, original = (translate(published()[name]) if name else {} for name in sources)
    rows = []
    for setting in translate(published()["paper"]):
        ours, theirs = getattr(run, setting), (original or paper).get(setting)
        rows.append({"setting": setting, "ours": ours, "paper": paper[setting], "original": original.get(setting)})
        rows[-1]["deviates"] = theirs is not None and theirs != ours
    paper, original = (published()[name]["filter"] if name else None for name in sources)
    rows.append({"setting": "group filter", "ours": run.refill, "paper": paper, "original": original})
    rows[-1]["deviates"] = ((original or paper) == "none") != (run.refill == "none")
    return rows


def deviations(run: Run, but: tuple[str, ...] = ()) -> list[str]:
    """Where the run's settings differ from the original of its technique, or from the paper's scripts, a line for each.

    An untrained model deviates from nothing.

    Args:
        but: settings that are left out.

    >>> deviations(Run("m", "t", "one_shot", subset="one_shot", learning_rate=1e-6))[0]
    'max_steps: 100 (One-shot RLVR: 2000)'
    """
    if not run.max_steps:
        return []
    source, key = _source(run), "original" if original_of(run) else "paper"
    rows = [row for row in compare(run) if row["deviates"] and row["setting"] not in but]
    return [f"{row['setting']}: {row['ours']} ({source}: {row[key]})" for row in rows]


def rollouts(run: Run) -> str:
    """A run's rollouts in words, beside those of the original or the paper's scripts; empty where they are the same.

    >>> rollouts(Run("m", "t", "majority_vote", reward="majority_vote", steps_per_generation=8))
    '16 prompts x 16 completions per rollout (TTRL: 8 x 64), 8 updates per rollout (as theirs)'
    >>> rollouts(Run("m", "t", generation_batch_size=2048))
    ''
    """
    theirs = translate(published()[original_of(run) or "paper"])
    shapes = [_shape(settings) for settings in (run.settings, theirs)]
    updates = [settings["steps_per_generation"] for settings in (run.settings, theirs)]
    if shapes[0] == shapes[1] and updates[0] == updates[1]:
        return ""
    shape, number = ("as theirs" if one == other else f"{_source(run)}: {other}" for one, other in (shapes, updates))
    prompts, completions = shapes[0].split(" x ")
    each = "update" if updates[0] == 1 else "updates"
    return f"{prompts} prompts x {completions} completions per rollout ({shape}), {updates[0]} {each} per rollout ({number})"


def _shape(settings: dict) -> str:
    """Prompts of a rollout and completions of each."""
    group = settings["num_generations"]
    return f"{settings['generation_batch_size'] // group} x {group}"


def _source(run: Run) -> str:
    """The title of what the run is measured by."""
    return published()[original_of(run) or "paper"]["title"]


def table(runs: list[Run]) -> list[dict]:
    """The settings of a grid beside the paper's scripts and the originals of its arms, one row for each setting.

    Returns:
        Rows with `setting`, `ours` (all values that occur, by frequency) and a column for each source, by its title; None
        where the source does not fix the setting.

    >>> rows = table([Run("m", "t"), Run("m", "t", "nsr", objective="nsr")])
    >>> rows[1] == {"setting": "learning_rate", "ours": [3e-4], "the paper's scripts": 1e-6, "NSR, PSR, W-REINFORCE": 1e-6}
    True
    """
    trained = [run for run in runs if run.max_steps]
    sources = {"paper": None} | dict.fromkeys(name for run in trained if (name := original_of(run)))
    rows = []
    for setting in translate(published()["paper"]):
        ours = [value for value, _ in Counter(getattr(run, setting) for run in trained).most_common()]
        theirs = {published()[name]["title"]: translate(published()[name]).get(setting) for name in sources}
        rows.append({"setting": setting, "ours": ours} | theirs)
    filters = {published()[name]["title"]: published()[name]["filter"] for name in sources}
    return [*rows, {"setting": "group filter", "ours": sorted({run.refill for run in trained}, reverse=True)} | filters]


@lru_cache
def doses() -> dict[str, dict[str, float]]:
    """The micro models of params/models.yaml: name -> dose of each task."""
    return yaml.safe_load((paths.shared("params") / "models.yaml").read_text(encoding="utf-8"))
