"""x50 of each level of the map: the alignment at which its majority votes take off, beside the centre's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtalign.claims.level_errors import (
    LEAST_SEEDS,
    at_common_seeds,
    at_seeds,
    estimate,
    interval,
    ratio,
    seeds_of,
    standard_error,
)
from mtalign.claims.levels import CENTRE, MEASURE

X50, RATIO, BESIDE = ("x50", "low", "high"), ("ratio", "ratio_low", "ratio_high"), "reference_"


def crossings(table: pd.DataFrame, measure: str = MEASURE, reference: str = CENTRE) -> pd.DataFrame:
    """x50 of each level with its interval, from the testable cells, beside the reference level at the same RL seeds.

    Returns:
        Columns level, cells, untestable, gain (of standard RL, its mean), runs; x50, low, high (`level_errors.interval`), `se` (of
        ln x50) and `df` (`level_errors.standard_error`), `top` (`mixed_logit.Crossing`); `seeds`, how many RL seeds the level and the
        reference have in common; x50, low and high of the reference at these, with `reference_` before their names;
        `ratio`, the level's x50 as a multiple of the reference's at these seeds, with its interval (`level_errors.ratio`); and
        `apart`: whether that interval, of `LEAST_SEEDS` seeds at least, leaves out 1 (where x50 of one was not reached,
        whether the two intervals do not meet). The reference has no ratio to itself.
    """
    rows, its = [], _testable(table[table["level"] == reference])
    for level, these in table.groupby("level", sort=False):
        row = {"level": level} | _crossing(these, measure)
        if not its.empty:
            row |= _reference(these, its, measure)
            row |= {} if level == reference else _ratio(_testable(these), its, measure)
        rows.append(row)
    beside = [BESIDE + name for name in X50]
    columns = ["level", "cells", "untestable", "gain", "runs", *X50, "se", "df", "top", "seeds", *beside, *RATIO]
    frame = pd.DataFrame(rows, columns=[*columns, "apart"])
    return frame.astype({"apart": "boolean"}).fillna({"apart": False}).astype({"apart": bool})


def _testable(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[cells["testable"].astype(bool)]


def _crossing(cells: pd.DataFrame, measure: str) -> dict:
    kept = _testable(cells)
    row = {
        "cells": len(kept),
        "untestable": len(cells) - len(kept),
        "gain": kept["gain"].mean(),
        "runs": int(kept["runs"].sum()),
    }
    if kept[measure].nunique() < 2:
        return row
    found = estimate(kept, measure)
    row |= dict(zip(X50, interval(kept, measure, found), strict=True)) | {"top": found.top}
    return row | dict(zip(("se", "df"), standard_error(kept, measure, found), strict=True))


def _reference(cells: pd.DataFrame, reference: pd.DataFrame, measure: str) -> dict:
    """x50 of the reference at the RL seeds of a level, whether that level's own can be tested or not."""
    common = sorted(set(seeds_of(cells)) & set(seeds_of(reference)))
    same = at_seeds(reference, common)
    if same[measure].nunique() < 2:
        return {"seeds": len(common)}
    beside = interval(same, measure, estimate(same, measure))
    return {"seeds": len(common)} | {BESIDE + name: value for name, value in zip(X50, beside, strict=True)}


def _ratio(cells: pd.DataFrame, reference: pd.DataFrame, measure: str) -> dict:
    """The ratio to the reference, and whether the two are apart, at their common RL seeds."""
    one, two = at_common_seeds(cells, reference)
    if min(each[measure].nunique() for each in (one, two)) < 2:
        return {}
    by, enough = ratio(one, two, measure), len(seeds_of(one)) >= LEAST_SEEDS
    if np.isnan(by[0]):
        (_, low, high), (_, lowest, highest) = (interval(each, measure, estimate(each, measure)) for each in (one, two))
        return {"apart": enough and (low > highest or high < lowest)}
    return dict(zip(RATIO, by, strict=True)) | {"apart": enough and (by[1] > 1 or by[2] < 1)}
