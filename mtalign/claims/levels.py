"""The map: where a majority vote takes off, level by level of what was varied, and what predicts it.

A *level* is what a run differs in from the centre: `agree=0.3`, `arithmetic-4`, `lr=0.0001`, `centre` where in nothing. A *cell* is a
base model at a level: its runs, how many took off, what was measured of it before, and what the mean-field theory says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from mtalign.claims import mean_field, take_off
from mtalign.claims.dose_response import measures
from mtalign.claims.level_errors import GROUPS, LEAST_SEEDS, at_seeds, estimate, interval, ratio, seeds_of
from mtalign.claims.mean_field_fit import LEAST_GAIN, policy_of
from mtalign.config.run import Run
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.records.tables import accuracies
from mtalign.stats import recovered

SETTINGS = {
    "updates": "max_steps",
    "lr": "learning_rate",
    "group": "num_generations",
}  # fields of a run that levels vary
MEASURE = "chance-corrected pass@4"
CENTRE = "centre"  # the level that differs in nothing
ONE = "updates=2000"  # the level of runs on one example
SLOW_ONE = f"{ONE}, lr=3e-05"  # the same at a tenth of the learning rate
LARGER_ONE = f"size=650k, {ONE}, lr=0.0001"  # the same with more parameters, at the rate that standard RL chose there
ONES = {"one": ONE, "slow one": SLOW_ONE, "larger one": LARGER_ONE}
GAINED = "maj@16 - pass@1"  # what a majority of 16 adds to a single completion, before any training
EARLY = "accuracy in rollouts 2 to 4"  # of training
EMPTY = [
    "level", "model", "task", "dose", "pretraining", "pass@1", "chance-corrected pass@1", MEASURE, "maj@16", GAINED, "working", "gain", "testable", "seeds", "shares", "taken", "runs", "theory",
]  # fmt: skip


def level(run: Run) -> str:
    """What the run varies; its dose, seeds and arm aside.

    >>> level(Run("micro:arithmetic?dose=0.1&seed=2", "arithmetic")), level(Run("micro:logic?dose=0.1&size=3m", "logic"))
    ('centre', 'logic, size=3m')
    """
    recipe = dialled.parse(run.model)
    own = {"size": recipe.size, "right": recipe.right, "agree": recipe.agree}
    own |= {name: getattr(run, field) for name, field in SETTINGS.items()}
    usual = {"size": "85k", "right": 1.0, "agree": 0.0} | {
        name: getattr(Run, field) for name, field in SETTINGS.items()
    }
    parts = [f"{name}={value}" for name, value in own.items() if value != usual[name]]
    return ", ".join([run.task] * (run.task != "arithmetic") + parts) or CENTRE


def runs_in(store: Records) -> list[Run]:
    """The runs of all records of base models built on demand that lie in the folder."""
    configs = [
        json.loads(path.read_text(encoding="utf-8"))["config"] for path in sorted(store.folder.glob("micro-*.json"))
    ]
    return [Run(**config) for config in configs]


def cells(
    runs: Iterable[Run], store: Records, reward: str = "majority_vote", objective: str = "grpo", theory: bool = True
) -> pd.DataFrame:
    """A row for each level and base model of which some run has finished, and some of standard RL in the same setting.

    Args:
        reward, objective: of the arm that is mapped, with all prompts.
        theory: whether the theory is asked too, which takes seconds for a cell.

    Returns:
        Columns level, model, task, dose, pretraining (seed), the measures of the untrained model, `working` (its share of
        completions that show working), `gain` (of standard RL), `share of greedy` and `share of maj@16` (of that gain, without
        training), `testable` (the gain is at least `LEAST_GAIN`), `seeds` of RL
        and `shares` (of that gain, one for each run), `taken`, `runs`, and `theory`: the share that the mean-field theory
        predicts for a majority vote, NaN where it does not apply.
    """
    settings: dict[tuple, list[Run]] = {}
    for run in runs:
        if run.max_steps:
            shared = {key: value for key, value in asdict(run.standard).items() if key not in ("arm", "seed")}
            settings.setdefault(tuple(shared.items()), []).append(run)
    rows = []
    for same in settings.values():
        standard = _finished(store, (run for run in same if _arm(run) == ("ground_truth", "grpo", "full")))
        mapped = _finished(store, (run for run in same if _arm(run) == (reward, objective, "full")))
        if standard and mapped:
            base = store.read(same[0].base)
            policy = policy_of(base) if theory and reward == "majority_vote" else None
            rows.append(_cell(same[0], base, standard, mapped, policy))
    return pd.DataFrame(rows, columns=None if rows else EMPTY)


def _arm(run: Run) -> tuple[str, str, str]:
    return run.reward, run.objective, run.subset


def _finished(store: Records, runs: Iterable[Run]) -> list[dict]:
    found = (store.read(run) for run in runs)
    return [record for record in found if record and record["status"] == "finished"]


def _cell(run: Run, base: dict, standard: list[dict], mapped: list[dict], policy: mean_field.Policy | None) -> dict:
    recipe = dialled.parse(run.model)
    before, best = accuracies([base]).mean(), accuracies(standard).mean()
    shares = recovered(accuracies(mapped).mean(axis=1), best, before)
    theory = float("nan")
    if policy is not None:
        budget = run.generation_batch_size // run.steps_per_generation, run.max_steps, run.learning_rate
        theory = mean_field.recovered(policy, run.num_generations, *budget)
    cell = {
        "level": level(run),
        "model": run.model,
        "task": run.task,
        "dose": recipe.dose,
        "pretraining": recipe.seed,
        **_measured(base),
    }
    cell["working"] = base["after"]["thinking"]
    cell |= {"gain": best - before, "testable": best - before >= LEAST_GAIN}
    cell |= {
        f"share of {way}": float(recovered(cell[way], best, before)) for way in ("greedy", "maj@16") if way in cell
    }
    cell |= {"seeds": [record["config"]["seed"] for record in mapped], "shares": shares.tolist()}
    return cell | {"taken": int((shares > take_off.HALF).sum()), "runs": len(shares), "theory": theory}


def _measured(base: dict) -> dict:
    """The measures of an untrained model, and under `without` each of them with one group of prompts left out, a list (`GROUPS`,)."""
    prompts = np.arange(len(base["after"]["correct"]))
    kept = np.array([np.ones(len(prompts)), *(prompts % GROUPS != group for group in range(min(GROUPS, len(prompts))))])
    found = measures(base, kept / kept.sum(axis=1, keepdims=True))
    return {name: float(values[0]) for name, values in found.items()} | {
        "without": {name: values[1:].tolist() for name, values in found.items()}
    }


def usual_seeds(table: pd.DataFrame) -> set[int]:
    """The RL seeds that most levels of the table have: at them levels are compared with each other, few of them having fewer.

    >>> usual_seeds(pd.DataFrame({"level": list("abc"), "seeds": [[0, 1, 2, 3], [0, 1], [0, 1]]}))
    {0, 1}
    """
    of_level = [tuple(sorted(set().union(*these))) for _, these in table.groupby("level")["seeds"]]
    return set(max(of_level, key=lambda seeds: (of_level.count(seeds), -len(seeds)), default=()))


X50, RATIO, BESIDE = ("x50", "low", "high"), ("ratio", "ratio_low", "ratio_high"), "reference_"


def crossings(table: pd.DataFrame, measure: str = MEASURE, reference: str = CENTRE) -> pd.DataFrame:
    """x50 of each level with its interval, from the testable cells, beside the reference level at the same RL seeds.

    Returns:
        Columns level, cells, untestable, gain (of standard RL, its mean), runs, x50, low, high (`level_errors.interval`), `top`
        (`mixed_logit.Crossing`); x50, low and high of the reference at the level's seeds, with `reference_` before their names;
        `ratio`, the level's x50 as a multiple of the reference's at these seeds, with its interval (`level_errors.ratio`); and
        `apart`: whether that interval, of `LEAST_SEEDS` seeds at least, leaves out 1 (where x50 of one was not reached,
        whether the two intervals do not meet).
    """
    rows, at = [], table[table["level"] == reference]
    for level, these in table.groupby("level", sort=False):
        row = {"level": level} | _crossing(these, measure)
        if not at.empty:
            row |= _beside(these, at_seeds(at, seeds_of(these)), measure)
        rows.append(row)
    beside = [BESIDE + name for name in X50]
    columns = ["level", "cells", "untestable", "gain", "runs", *X50, "top", *beside, *RATIO, "apart"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"apart": "boolean"}).fillna({"apart": False}).astype({"apart": bool})


def _crossing(cells: pd.DataFrame, measure: str) -> dict:
    kept = cells[cells["testable"]]
    row = {
        "cells": len(kept),
        "untestable": len(cells) - len(kept),
        "gain": kept["gain"].mean(),
        "runs": int(kept["runs"].sum()),
    }
    if kept[measure].nunique() < 2:
        return row
    found = estimate(kept, measure)
    return row | dict(zip(X50, interval(kept, measure, found), strict=True)) | {"top": found.top}


def _beside(cells: pd.DataFrame, reference: pd.DataFrame, measure: str) -> dict:
    """The reference's x50, the ratio to it, and whether they are apart."""
    kept, its = (each[each["testable"]] for each in (cells, reference))
    if min(kept[measure].nunique(), its[measure].nunique()) < 2:
        return {}
    found, other = (estimate(each, measure) for each in (kept, its))
    (_, low, high), beside = (interval(*each) for each in ((kept, measure, found), (its, measure, other)))
    by = ratio(kept, found, its, other, measure)
    apart = low > beside[2] or high < beside[1] if by[0] != by[0] else by[1] > 1 or by[2] < 1
    enough = len(seeds_of(kept)) >= LEAST_SEEDS
    named = {BESIDE + name: value for name, value in zip(X50, beside, strict=True)}
    return named | dict(zip(RATIO, by, strict=True)) | {"apart": apart and enough}


def planned(runs: Iterable[Run], reward: str = "majority_vote", objective: str = "grpo") -> dict[str, int]:
    """How many runs with that reward each level has; under "drift" and the names of `ONES` those of the other tables.

    >>> planned([Run("micro:arithmetic?dose=0.1", "arithmetic", reward="majority_vote", seed=seed) for seed in range(3)])
    {'drift': 0, 'one': 0, 'slow one': 0, 'larger one': 0, 'centre': 3}
    """
    runs = list(runs)
    ones = [level(run) for run in runs if run.subset == "one_shot"]
    found = {"drift": sum(map(_is_drifting, runs))} | {name: ones.count(its) for name, its in ONES.items()}
    for run in runs:
        if run.max_steps and _arm(run) == (reward, objective, "full") and not _is_drifting(run):
            found[level(run)] = found.get(level(run), 0) + 1
    return found


def _is_drifting(run: Run) -> bool:
    """Whether it is of the arms with clipping, which are compared with each other and not with standard RL."""
    return run.max_steps > 0 and run.steps_per_generation > 2


def drift(runs: Iterable[Run], store: Records) -> pd.DataFrame:
    """A row for each finished run with clipping.

    Returns:
        Columns model, dose, arm, seed, change (of accuracy), clip_fraction (the largest of a rollout's updates, in the mean over
        rollouts), moved (length of the change of the weights, as a share of theirs); and `EARLY`, the share of right completions in
        the second, third and fourth rollout of training, in their mean: before the weights have gone far.
    """
    rows = []
    for record in _finished(store, filter(_is_drifting, runs)):
        config, displacement = record["config"], record["displacement"]
        change = accuracies([record]).mean() - accuracies([record], "before").mean()
        row = {key: config[key] for key in ("model", "arm", "seed")} | {"dose": dialled.parse(config["model"]).dose}
        row |= {"change": float(change), "clip_fraction": float(np.mean(record["curve"]["clip_fraction"]))}
        row[EARLY] = float(np.mean(record["curve"]["accuracy"][1:4]))
        rows.append(row | {"moved": displacement["moved"] / displacement["length"]})
    return pd.DataFrame(rows)


def one_example(runs: Iterable[Run], store: Records) -> pd.DataFrame:
    """A row for each finished run on one example, with the share of standard RL's gain at the same seed and budget.

    Returns:
        Columns level, model, dose, arm, rank, seed, share; `accuracy` at the end and `chance`; `signal`, the share of groups in
        training whose rewards differed; and `constant`, the share of held-out prompts of which all samples are right or none.
    """
    rows = []
    for run in runs:
        if run.subset != "one_shot":
            continue
        found = [store.read(each) for each in (run, run.standard, run.base)]
        if all(record and record["status"] == "finished" for record in found):
            share = recovered(*(accuracies([record]).mean() for record in found))
            row = {"level": level(run), "model": run.model, "dose": dialled.parse(run.model).dose, "arm": run.arm}
            row["rank"] = run.rank
            row |= {"seed": run.seed, "share": float(share), "accuracy": float(accuracies(found[:1]).mean())}
            right = np.array(found[0]["after"]["correct"]) / found[0]["after"]["num_samples"]
            silent = np.mean(found[0]["curve"]["frac_reward_zero_std"])
            row |= {
                "chance": found[0]["chance"],
                "signal": float(1 - silent),
                "constant": float(np.mean(right % 1 == 0)),
            }
            rows.append(row)
    return pd.DataFrame(rows)
