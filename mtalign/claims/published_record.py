"""The published record: does the alignment of a model predict, in the numbers that papers print, how much a cheap signal recovers?

The file `published_outcomes.csv` of `MTALIGN_DATA` has accuracies, in per cent, before RL, after RL with a cheap signal, and after
RL with true labels beside it. A *cell* is one paper, model, task and method: rows that differ in training data or in the one
example are averaged, so that seventeen examples of one model count once. Its alignment is the base accuracy, corrected for
chance where the task has a known one. Cells of one paper share models, code and habits: intervals draw papers again, and
models within a paper.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.verdicts import THRESHOLD
from mtalign.config.errors import ConfigError
from mtalign.metrics import chance_corrected
from mtalign.stats import Estimate, interval

FILE = "published_outcomes.csv"
LEAST_GAIN = 5.0  # of true labels, in points: of less, a share says little. The folder's README states the same
DRAWS = 2000
FEW_PAPERS = 5  # with fewer there is no interval: nothing is said of other papers
CLAIM = {  # the file's methods -> what `claims.CLAIMS` calls the claim
    "majority_vote": "majority_vote", "entropy": "entropy_reward", "confidence": "entropy_reward", "one_shot": "one_example",
    "k_shot": "few_examples", "format": "format_reward", "random": "random_reward", "incorrect": "incorrect_reward",
    "nsr": "negative_samples", "psr": "positive_samples",
}  # fmt: skip
# Chance of one guess. Free answers have next to none. Tasks that are in part multiple choice have an unknown one.
CHOICES = {"MMLU-Pro": 0.1, "GPQA": 0.25, "GPQA-D": 0.25, "SEED-Bench": 0.25}  # of ten and of four options
UNKNOWN = {"MathVision", "MathVerse", "MathVista", "We-Math", "IFEval", "ImageNet-R"}
AVERAGES = {"avg of 6"}  # of other rows
KEYS = ["paper", "model", "task", "method"]
NUMBERS = ["base_accuracy", "after_accuracy", "ground_truth_after_accuracy"]


def available() -> bool:
    """Whether the file is there; where it is not, a line says what is needed."""
    root = os.environ.get("MTALIGN_DATA", "")
    if root and Path(root, FILE).is_file():
        return True
    print(f"Needs {FILE} in the folder of public data: set MTALIGN_DATA to it.")
    return False


def read(path: Path | None = None) -> pd.DataFrame:
    """The rows of the file, as they are.

    Raises:
        ConfigError: the file cannot be read, or a column is missing or holds something else than numbers.
    """
    path = path or Path(os.environ.get("MTALIGN_DATA", ""), FILE)
    try:
        table = pd.read_csv(path, dtype={"arxiv": str})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; set MTALIGN_DATA to a folder with it") from None
    for name in [*KEYS, *NUMBERS, "ground_truth_on_test_labels", "kind"]:
        if name not in table:
            raise ConfigError(f"{path}: {name}: there is no such column")
        if name in NUMBERS and not pd.api.types.is_numeric_dtype(table[name]):
            raise ConfigError(f"{path}: {name}: expected numbers")
    return table


def excluded(table: pd.DataFrame, least_gain: float = LEAST_GAIN) -> pd.Series:
    """Why each row is left out, "" for those that count: the first reason that applies."""
    gain = table["ground_truth_after_accuracy"] - table["base_accuracy"]
    reasons = {
        "not a cheap signal": ~table["method"].isin(CLAIM),
        "no true labels beside it": table["ground_truth_after_accuracy"].isna(),
        "true labels of the test set": table["ground_truth_on_test_labels"].notna(),
        "an average of other rows": table["task"].isin(AVERAGES),
        f"true labels gain less than {least_gain:g} points": gain < least_gain,
    }
    return pd.Series(np.select(list(reasons.values()), list(reasons), ""), index=table.index)


def cells(table: pd.DataFrame, least_gain: float = LEAST_GAIN) -> pd.DataFrame:
    """A row for each paper, model, task and method that counts.

    Returns:
        Columns `paper`, `model`, `task`, `method`, `rows` (averaged), `base`, `alignment` (chance-corrected, NaN where chance is
        unknown), `gain` (of true labels) and `behind` (accuracy less that of true labels, in which the base does not stand),
        all as shares of 1; `share` (recovered, cut to `SHOWN`), `holds` (more than one half) and `billions` (of parameters, by
        the model's name).

    >>> row = {"paper": "p", "model": "Q-7B", "task": "GPQA", "method": "random", "base_accuracy": 40.0, "after_accuracy": 55.0}
    >>> row |= {"ground_truth_after_accuracy": 60.0, "ground_truth_on_test_labels": None}
    >>> cells(pd.DataFrame([row]))[["alignment", "share", "billions"]].round(2).values.tolist()
    [[0.2, 0.75, 7.0]]
    """
    kept = table[excluded(table, least_gain) == ""]
    found = kept.groupby(KEYS, sort=False)[NUMBERS].mean() / 100
    found["rows"] = kept.groupby(KEYS, sort=False).size()
    found.columns = ["base", "after", "truth", "rows"]
    found = found.reset_index()
    chance = np.array([np.nan if task in UNKNOWN else CHOICES.get(task, 0.0) for task in found["task"]])
    found["alignment"] = [float(chance_corrected(b, c)) for b, c in zip(found["base"], chance, strict=True)]
    found["gain"], found["behind"] = found["truth"] - found["base"], found["after"] - found["truth"]
    found["share"] = ((found["after"] - found["base"]) / found["gain"]).clip(*SHOWN).round(6)  # equal shares are equal
    found["holds"] = found["share"] > THRESHOLD
    found["billions"] = found["model"].str.extract(r"(\d+(?:\.\d+)?)B\b", expand=False).astype(float)
    return found


def weights(groups: pd.DataFrame, draws: int = DRAWS) -> NDArray[np.int64]:
    """How often each group is drawn, (draws, groups): papers with replacement, and groups within each drawn paper.

    Args:
        groups: a row for each group, with the column `paper`.
    """
    rng = np.random.default_rng(0)
    papers, number = np.unique(groups["paper"], return_inverse=True)
    drawn = rng.multinomial(len(papers), np.full(len(papers), 1 / len(papers)), size=draws)  # (draws, papers)
    found = np.zeros((draws, len(groups)), dtype=np.int64)
    for paper in range(len(papers)):
        own = np.flatnonzero(number == paper)
        found[:, own] = rng.multinomial(drawn[:, paper] * len(own), np.full(len(own), 1 / len(own)))
    return found


def clustered(table: pd.DataFrame, values: str, of: str | None = None) -> Estimate:
    """The mean of a column over cells with its interval, papers and models within papers drawn again.

    Args:
        of: a column of 0 and 1: the cells whose mean is taken; None for all.

    >>> own = pd.DataFrame({"paper": list("abcdef"), "model": "m", "holds": [1, 0, 1, 0, 1, 0]})
    >>> str(clustered(own, "holds")), str(clustered(own[:4], "holds"))
    ('0.50 [0.17, 0.83]', '0.50, no interval')
    """
    return _estimate(*_mean(table, values, of), table)


def _estimate(value: float, draws: NDArray, groups: pd.DataFrame) -> Estimate:
    """A value with the interval of its draws; without one, where there are too few papers to draw from."""
    if groups["paper"].nunique() < FEW_PAPERS:
        return Estimate(value, float("nan"), float("nan"))
    return interval(value, draws[np.isfinite(draws)])


def apart(table: pd.DataFrame, values: str, by: str) -> Estimate:
    """The mean of a column where `by` is 1, less that where it is 0, with the interval of `clustered`."""
    table = table.assign(_other=1 - table[by].astype(int))
    (first, one), (second, other) = (_mean(table, values, column) for column in (by, "_other"))
    return _estimate(first - second, one - other, table)


def _mean(table: pd.DataFrame, values: str, of: str | None) -> tuple[float, NDArray]:
    counted = np.ones(len(table)) if of is None else table[of].to_numpy(dtype=float)
    sums = table[["paper", "model"]].assign(n=counted, s=counted * table[values].to_numpy(dtype=float))
    return _ratio(sums.groupby(["paper", "model"], as_index=False).sum(), "s", "n")


def _ratio(groups: pd.DataFrame, above: str, below: str) -> tuple[float, NDArray]:
    """A ratio of sums over groups, and its draws (draws,); NaN where nothing was drawn that it could be of."""
    drawn, up, down = weights(groups), groups[above].to_numpy(), groups[below].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.divide(up.sum(), down.sum())), (drawn @ up) / (drawn @ down)


@dataclass(frozen=True)
class Ordered:
    """How often, of two cells of one group, the better aligned one recovers more.

    Attributes:
        concordance: with the interval of drawn papers and groups; ties count one half, guessing gives 0.5.
        p_value, p_opposite: one-sided, of as much and of as little by chance: shares permuted within each group.
        pairs, cells, papers: what it rests on.
    """

    concordance: Estimate
    p_value: float
    p_opposite: float
    pairs: int
    cells: int
    papers: int


def ordered(
    table: pd.DataFrame, measure: str = "alignment", within: str = "model", outcome: str = "share"
) -> Ordered | None:
    """Whether a measure orders the cells of one method as an outcome does; None without any two to compare.

    Args:
        within: `model` compares the tasks of one model in one paper; `task` the models of one paper on one task.

    >>> own = pd.DataFrame({"paper": "p", "model": "m", "task": list("abc"), "alignment": [0.1, 0.2, 0.3], "share": [0, 1, 0.5]})
    >>> found = ordered(own)
    >>> round(found.concordance.value, 2), found.pairs
    (0.67, 3)
    """
    table = table.dropna(subset=measure)
    rng, permuted, rows = np.random.default_rng(0), np.zeros(DRAWS), []
    for (paper, name), own in table.groupby(["paper", within], sort=False):
        x, y = own[measure].to_numpy(), own[outcome].to_numpy(dtype=float)
        first, second = np.triu_indices(len(own), 1)
        first, second = (i[x[first] != x[second]] for i in (first, second))
        if len(first):
            other = rng.permuted(np.tile(y, (DRAWS, 1)), axis=1)  # (draws, cells)
            permuted += _agree(x, other, first, second).sum(axis=1)
            agree = _agree(x, y[None], first, second).sum()
            rows.append({"paper": paper, within: name, "agree": agree, "pairs": len(first), "cells": len(own)})
    if not rows:
        return None
    groups = pd.DataFrame(rows)
    value, draws = _ratio(groups, "agree", "pairs")
    agreed = groups["agree"].sum()
    more, less = (float((1 + by_chance.sum()) / (1 + DRAWS)) for by_chance in (permuted >= agreed, permuted <= agreed))
    counts = int(groups["pairs"].sum()), int(groups["cells"].sum()), groups["paper"].nunique()
    return Ordered(_estimate(value, draws, groups), more, less, *counts)


def _agree(x: NDArray, y: NDArray, first: NDArray, second: NDArray) -> NDArray:
    """1 where x and y (draws, cells) order two cells alike, 0 where not, 0.5 where y is the same: (draws, pairs)."""
    signs = np.sign(x[second] - x[first]) * np.sign(y[:, second] - y[:, first])
    return (signs + 1) / 2


def left_out(table: pd.DataFrame, measure: str = "alignment") -> pd.DataFrame:
    """Each paper's cells of one method predicted from the other papers': by the best non-decreasing curve, and by a constant.

    Returns:
        The cells of `table` that can be predicted, with `curve` and `constant`, the predicted P(holds), and the error of each,
        `curve_error` and `constant_error`: the squared difference (Brier 1950); `better`, the second less the first. A coin that
        says one half has 0.25.
    """
    table, parts = table.dropna(subset=measure), []
    for paper in table["paper"].unique():
        own, others = table[table["paper"] == paper], table[table["paper"] != paper].sort_values(measure, kind="stable")
        if len(others):
            fitted = isotonic_regression(others["holds"].to_numpy(dtype=float)).x
            curve = np.interp(own[measure], others[measure], fitted)
            parts.append(own.assign(curve=curve, constant=others["holds"].mean()))
    if not parts:
        return table.assign(curve=np.nan, constant=np.nan, curve_error=np.nan, constant_error=np.nan, better=np.nan)[:0]
    found = pd.concat(parts)
    for name in ("curve", "constant"):
        found[f"{name}_error"] = (found[name] - found["holds"]) ** 2
    return found.assign(better=found["constant_error"] - found["curve_error"])
