"""The map's predictions, judged: ours by `map_predictions`, the paper's level by level."""

from __future__ import annotations

import pandas as pd

from mtalign.claims.dose_words import ends
from mtalign.claims.level_errors import LEAST_SEEDS
from mtalign.claims.level_words import called, times
from mtalign.claims.predictions import Judged, Outcomes

PAPER = "arXiv 2508.21188"


def of_the_map(table: pd.DataFrame, crossings: pd.DataFrame | None = None) -> Outcomes:
    """Notebook 16, from `map_predictions.judged`, and what the paper expects of each level from `level_thresholds.crossings`."""
    words = {"right": "confirmed", "wrong": "refuted", "undecided": "undecided"}
    rule = "mtalign.claims.map_predictions, written before the runs; that a level is compared with the centre at its own RL seeds, afterwards"
    own = [Judged(r.words, rule, words[r.outcome], r.because) for r in table.itertuples()]
    return Outcomes(own + ([] if crossings is None else one_threshold(crossings)))


def one_threshold(crossings: pd.DataFrame, reference: str = "centre") -> list[Judged]:
    """That a level has the centre's x50 on pass@4, as it must where pass@4 is the factor."""
    rule = "refuted where the interval of its ratio to the centre's at the same RL seeds leaves out 1; else confirmed where that interval lies within a factor of 1.5; both of three RL seeds at least (ratio, factor and seeds: written after the run)"
    found = []
    for row in crossings[crossings["level"] != reference].itertuples():
        within = row.ratio_low >= 1 / 1.5 and row.ratio_high <= 1.5 and row.seeds >= LEAST_SEEDS
        outcome = "refuted" if row.apart else "confirmed" if within else "undecided"
        because = f"x50 is {ends(row.x50, row.low, row.high)}, the centre's {ends(row.reference_x50, row.reference_low, row.reference_high)}"
        if row.ratio == row.ratio:
            because += f", {times(row.ratio, row.ratio_low, row.ratio_high)} the centre's"
        found.append(
            Judged(
                "A level has the centre's x50 on chance-corrected pass@4",
                rule,
                outcome,
                because,
                called(row.level),
                PAPER,
            )
        )
    return found
