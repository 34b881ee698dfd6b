"""Forecasts of `diagnose` for the pairs of the published record, scored against what was published.

A forecast is made as `diagnose` makes it, from the base accuracy alone: chance-corrected pass@1, with Wilson's interval over the
questions of the benchmark. It rests on models of 85 thousand parameters, and nothing in it was fitted to published numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mtalign.claims.predictions import Judged, above
from mtalign.claims.published_predictions import MEASURE
from mtalign.claims.published_record import CHOICES, CLAIM, clustered
from mtalign.diagnosis.forecast import LIKELY, forecasts
from mtalign.metrics import chance_corrected
from mtalign.stats import wilson

QUESTIONS = {  # of the benchmark's test set, in the order of the tasks' names
    "AIME24": 30, "AIME25": 30, "AMC": 83, "AMC23": 40, "GPQA-D": 198, "GSM8K": 1319, "HumanEval": 164, "MATH500": 500,
    "MATH-500": 500, "Minerva": 272, "MMLU-Pro": 12032, "OlympiadBench": 675,
}  # fmt: skip
ASSUMED = 250  # questions of any other: KOR-Bench's number
COLUMNS = ["verdict", "probability", "brier", "constant_brier", "better"]


def scored(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with a forecast for each, and its score.

    Returns:
        The cells whose chance is known, with `verdict` (`forecast.verdict`), `probability` (NaN where `diagnose` says
        `unknown`), `brier`, its squared error; `constant_brier`, that of always saying how often the same method holds in the other papers
        (one half where there are none), and `better`, the second less the first.
    """
    found = cells.dropna(subset="alignment").copy()
    made = [_forecast(row) for row in found.to_dict("records")]
    found["verdict"] = [forecast.verdict for forecast in made]
    found["probability"] = [np.nan if f.probability is None else f.probability for f in made]
    found["constant"] = [_elsewhere(found, row) for row in found.to_dict("records")]
    found["brier"] = (found["probability"] - found["holds"]) ** 2
    found["constant_brier"] = (found["constant"] - found["holds"]) ** 2
    return found.assign(better=found["constant_brier"] - found["brier"])


def _forecast(row: dict):
    chance = CHOICES.get(row["task"], 0.0)
    ends = (row["base"], *wilson(row["base"], QUESTIONS.get(row["task"], ASSUMED)))
    level = {n: float(chance_corrected(v, chance)) for n, v in zip(("value", "low", "high"), ends, strict=True)}
    return next(f for f in forecasts({MEASURE: level}) if f.claim == CLAIM[row["method"]])


def _elsewhere(cells: pd.DataFrame, row: dict) -> float:
    others = cells[(cells["method"] == row["method"]) & (cells["paper"] != row["paper"])]
    return float(others["holds"].mean()) if len(others) else 0.5


def scores(found: pd.DataFrame) -> pd.DataFrame:
    """For each method and for all: the Brier scores of the forecasts, of a constant and of a coin.

    Args:
        found: as `scored` gives it.

    Returns:
        Columns method, cells, papers, unknown (of the cells, not scored), holds, forecast (mean probability), brier, constant,
        coin, and better: what forecasts gain over the constant, an `Estimate` clustered by paper and model.
    """
    rows = []
    for method, own in [*found.groupby("method", sort=False), ("all", found)]:
        known = own.dropna(subset="probability")
        row = {"method": method, "cells": len(own), "papers": own["paper"].nunique(), "unknown": len(own) - len(known)}
        if len(known):
            row |= {"holds": known["holds"].mean(), "forecast": known["probability"].mean()}
            row |= {"brier": known["brier"].mean(), "constant": known["constant_brier"].mean(), "coin": 0.25}
            row |= {"better": clustered(known, "better")}
        rows.append(row)
    return pd.DataFrame(rows)


def calibration(found: pd.DataFrame) -> pd.DataFrame:
    """For each verdict of `diagnose`: the mean probability, and how many of the cells hold, with the clustered interval."""
    rows = []
    for verdict, own in found.groupby("verdict", sort=False):
        row = {"verdict": verdict, "cells": len(own), "papers": own["paper"].nunique()}
        rows.append(row | {"forecast": own["probability"].mean(), "holds": clustered(own, "holds")})
    return pd.DataFrame(rows).sort_values("forecast", ascending=False, ignore_index=True)


def judged(found: pd.DataFrame) -> list[Judged]:
    """The two predictions about forecasts, by rules that were committed before they were scored."""
    known = found.dropna(subset="probability")
    outcomes = []
    if len(known):
        gained = clustered(known, "better")
        outcomes.append(
            above(gained, 0, "diagnose forecasts published outcomes better than the other papers' base rate")
        )
    expected = known[(known["method"] == "majority_vote") & (known["probability"] >= LIKELY)]
    if len(expected):
        held = clustered(expected, "holds")
        one = above(held, LIKELY, "Where diagnose expects majority vote to hold, it does in published numbers")
        every = clustered(known[known["method"] == "majority_vote"], "holds")
        outcomes.append(replace(one, because=f"{held} of those hold; of all, whatever was expected, {every} do"))
    return outcomes
