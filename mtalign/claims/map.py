"""The map: where a majority vote takes off, level by level of what was varied, and what predicts it.

A *cell* is a base model at a level: its runs, how many took off, what was measured of it before, and what the mean-field
theory says. A level is a block of the grid file, or one of its settings where it has several.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from mtalign.claims import mean_field, take_off
from mtalign.claims.dose_response import measures
from mtalign.claims.mean_field_fit import policy_of
from mtalign.config.grid import Grid
from mtalign.config.run import Run
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.records.tables import accuracies
from mtalign.stats import recovered

LEAST_GAIN = 0.10  # of standard RL, below which a cell is not testable
MEASURE = "chance-corrected pass@4"


def cells(grid: Grid, store: Records, reward: str = "majority_vote", objective: str = "grpo") -> pd.DataFrame:
    """A row for each level and base model whose runs have finished, in part or all.

    Args:
        reward, objective: of the arm that is mapped, with all prompts.

    Returns:
        Columns level, model, task, dose, pretraining (seed), the measures of the untrained model, `working` (its share of
        completions that show working), `gain` (of standard RL),
        `testable` (the gain is at least `LEAST_GAIN`), `shares` (of that gain, one for each run), `taken`, `runs`, and
        `theory`: the share that the mean-field theory predicts for a majority vote, NaN where it does not apply.
    """
    rows = []
    for name, block in grid.blocks.items():
        trained = [run for run in block.runs if run.max_steps]
        for setting in dict.fromkeys(_setting(run) for run in trained):
            same = [run for run in trained if _setting(run) == setting]
            standard = _finished(store, (r for r in same if _arm(r) == ("ground_truth", "grpo", "full")))
            mapped = _finished(store, (r for r in same if _arm(r) == (reward, objective, "full")))
            if not standard or not mapped:
                continue
            base = store.read(same[0].base)
            rows.append({"level": _level(name, mapped[0]["config"]["arm"])} | _cell(same[0], base, standard, mapped))
    return pd.DataFrame(rows)


def _setting(run: Run) -> tuple:
    """All that a run shares with the standard RL it is compared with."""
    values = asdict(run.standard)
    return tuple((key, value) for key, value in values.items() if key not in ("arm", "seed"))


def _arm(run: Run) -> tuple[str, str, str]:
    return run.reward, run.objective, run.subset


def _finished(store: Records, runs: Iterable[Run]) -> list[dict]:
    found = (store.read(run) for run in runs)
    return [record for record in found if record and record["status"] == "finished"]


def _level(block: str, arm: str) -> str:
    """The block's name, and the setting's where the block has several.

    >>> _level("centre", "majority_vote"), _level("slow", "majority_slow"), _level("size_650k", "majority_slow")
    ('centre', 'slow', 'size_650k slow')
    """
    suffix = arm.partition("_")[2]
    return block if suffix in ("vote", block.rpartition("_")[2], block) or arm == "nsr" else f"{block} {suffix}"


def _cell(run: Run, base: dict, standard: list[dict], mapped: list[dict]) -> dict:
    recipe = dialled.parse(run.model)
    before, best = accuracies([base]).mean(), accuracies(standard).mean()
    shares = recovered(accuracies(mapped).mean(axis=1), best, before)
    policy = policy_of(base)
    theory = float("nan")
    if policy is not None:
        budget = run.generation_batch_size // run.steps_per_generation, run.max_steps, run.learning_rate
        theory = mean_field.recovered(policy, run.num_generations, *budget)
    cell = {"model": run.model, "task": run.task, "dose": recipe.dose, "pretraining": recipe.seed, **measures(base)}
    cell["working"] = base["after"]["thinking"]
    cell |= {"gain": best - before, "testable": best - before >= LEAST_GAIN, "shares": shares.tolist()}
    return cell | {"taken": int((shares > take_off.HALF).sum()), "runs": len(shares), "theory": theory}


def crossings(table: pd.DataFrame, measure: str = MEASURE, reference: str = "centre") -> pd.DataFrame:
    """x50 of each level with its interval, from the testable cells, beside the reference level.

    Returns:
        Columns level, cells, untestable, runs, x50, low, high, and `apart`: whether the interval lies wholly outside the
        reference's.
    """
    rows = []
    for level, these in table.groupby("level", sort=False):
        kept = these[these["testable"]]
        row = {
            "level": level,
            "cells": len(kept),
            "untestable": len(these) - len(kept),
            "runs": int(kept["runs"].sum()),
        }
        if kept[measure].nunique() > 1:
            found = take_off.crossing(
                kept[measure].tolist(), kept["taken"].tolist(), kept["runs"].tolist(), kept["model"].tolist()
            )
            row |= {"x50": found.x50, "low": found.low, "high": found.high}
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["level", "cells", "untestable", "runs", "x50", "low", "high"])
    at = frame[frame["level"] == reference]
    if not at.empty:
        frame["apart"] = (frame["low"] > at["high"].iloc[0]) | (frame["high"] < at["low"].iloc[0])
    return frame


def spreads(table: pd.DataFrame) -> dict[str, float]:
    """Standard deviations of the recovered share between base checkpoints of one dose, and between RL seeds of one checkpoint.

    By analysis of variance within level and dose, pooled over doses; the first is 0 where its estimate is negative.

    >>> cell = {"level": "a", "dose": 0.1}
    >>> found = spreads(pd.DataFrame([cell | {"shares": [0.0, 0.2]}, cell | {"shares": [1.0, 1.2]}]))
    >>> round(found["checkpoints"], 2), round(found["seeds"], 2)
    (0.7, 0.14)
    """
    within, between = [], []
    for _, these in table.groupby(["level", "dose"]):
        shares = [np.array(s) for s in these["shares"] if len(s) > 1]
        if len(shares) < 2:
            continue
        noise = float(np.mean([s.var(ddof=1) for s in shares]))
        within.append(noise)
        between.append(np.var([s.mean() for s in shares], ddof=1) - noise / np.mean([len(s) for s in shares]))
    if not within:
        return {"checkpoints": float("nan"), "seeds": float("nan")}
    return {"checkpoints": max(float(np.mean(between)), 0.0) ** 0.5, "seeds": float(np.mean(within)) ** 0.5}


def hits(table: pd.DataFrame, measures: Iterable[str] = ("pass@1", MEASURE, "maj@16")) -> pd.DataFrame:
    """How many runs of each level a predictor tells right, take-off or not.

    The theory predicts without a fit. A measure predicts by the threshold that tells most runs of all *other* levels right,
    or of the level's other pretraining seeds where there is no other level.

    Returns:
        Columns level, runs, and one for each predictor: the share of runs told right.
    """
    table = table[table["testable"] & table["theory"].notna()]
    rows = []
    for level, these in table.groupby("level", sort=False):
        right = {"theory": _right(these, these["theory"] > take_off.HALF)}
        for measure in measures:
            others = table[table["level"] != level]
            if not others.empty:
                right[measure] = _right(these, these[measure] > _threshold(others, measure))
                continue
            right[measure] = 0
            for seed in these["pretraining"].unique():
                own, rest = these[these["pretraining"] == seed], these[these["pretraining"] != seed]
                right[measure] += _right(own, own[measure] > _threshold(rest, measure)) if len(rest) else np.nan
        runs = int(these["runs"].sum())
        rows.append({"level": level, "runs": runs} | {name: number / runs for name, number in right.items()})
    return pd.DataFrame(rows)


def _right(cells: pd.DataFrame, predicted: pd.Series) -> int:
    return int(np.where(predicted, cells["taken"], cells["runs"] - cells["taken"]).sum())


def _threshold(cells: pd.DataFrame, measure: str) -> float:
    values = np.sort(cells[measure].unique())
    between = [-np.inf, *(values[:-1] + values[1:]) / 2, np.inf]
    return max(between, key=lambda threshold: _right(cells, cells[measure] > threshold))


def planned(grid: Grid, reward: str = "majority_vote") -> dict[str, int]:
    """Runs of each level that the grid asks for with that reward, and of `drift` those that have no standard RL beside."""
    drifting = set(_drifting(grid))
    found: dict[str, int] = {"drift": len(drifting)}
    for name, block in grid.blocks.items():
        for run in block.runs:
            if run.max_steps and _arm(run) == (reward, "grpo", "full") and run not in drifting:
                level = _level(name, run.arm)
                found[level] = found.get(level, 0) + 1
    return found


def _drifting(grid: Grid) -> list[Run]:
    return [run for run in grid.runs if run.arm.endswith("_clipped")]


def drift(grid: Grid, store: Records) -> pd.DataFrame:
    """A row for each finished run of the arms that are compared with each other and not with standard RL.

    Returns:
        Columns model, dose, arm, seed, change (of accuracy), clip_fraction (mean over rollouts), moved (length of the change
        of the weights, as a share of theirs).
    """
    rows = []
    for record in _finished(store, _drifting(grid)):
        config, displacement = record["config"], record["displacement"]
        change = accuracies([record]).mean() - accuracies([record], "before").mean()
        row = {key: config[key] for key in ("model", "arm", "seed")} | {"dose": dialled.parse(config["model"]).dose}
        row |= {"change": float(change), "clip_fraction": float(np.mean(record["curve"]["clip_fraction"]))}
        rows.append(row | {"moved": displacement["moved"] / displacement["length"]})
    return pd.DataFrame(rows)
