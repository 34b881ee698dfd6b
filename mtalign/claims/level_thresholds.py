"""x50 of each level of the map: the alignment at which its majority votes take off, beside the centre's."""

from __future__ import annotations

import pandas as pd

from mtalign.claims.level_errors import (
    LEAST_SEEDS,
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
        ln x50) and `df` (`level_errors.standard_error`), `top` (`mixed_logit.Crossing`); `seeds`, how many RL seeds the level has, in
        common with the reference where there is one; x50, low and high of the reference at these, with `reference_` before their names;
        `ratio`, the level's x50 as a multiple of the reference's at these seeds, with its interval (`level_errors.ratio`); and
        `apart`: whether that interval, of `LEAST_SEEDS` seeds at least, leaves out 1. The reference has no ratio to itself.
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
        "seeds": len(seeds_of(kept)),
    }
    if kept[measure].nunique() < 2:
        return row
    found = estimate(kept, measure)
    row |= dict(zip(X50, interval(kept, measure, found), strict=True)) | {"top": found.top}
    return row | dict(zip(("se", "df"), standard_error(kept, measure, found), strict=True))


def _reference(cells: pd.DataFrame, reference: pd.DataFrame, measure: str) -> dict:
    """x50 of the reference at the RL seeds of a level's testable cells, or of all its cells where none can be tested."""
    kept = _testable(cells)
    common = sorted(set(seeds_of(cells if kept.empty else kept)) & set(seeds_of(reference)))
    same = at_seeds(reference, common)
    if same[measure].nunique() < 2:
        return {"seeds": len(common)}
    beside = interval(same, measure, estimate(same, measure))
    return {"seeds": len(common)} | {BESIDE + name: value for name, value in zip(X50, beside, strict=True)}


def _ratio(cells: pd.DataFrame, reference: pd.DataFrame, measure: str) -> dict:
    """The ratio to the reference, and whether the two are apart, at their common RL seeds."""
    by = ratio(cells, reference, measure)
    enough = len(set(seeds_of(cells)) & set(seeds_of(reference))) >= LEAST_SEEDS
    return dict(zip(RATIO, by, strict=True)) | {"apart": enough and (by[1] > 1 or by[2] < 1)}
