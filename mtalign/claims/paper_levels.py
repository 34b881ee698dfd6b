"""P14 in a map of models by recipe: do levels of equal alignment take off alike, by the thresholds that the map's index shows.

The rule for other grids compares couples of different tasks. In a map a level differs from another in one factor, most often not
in the task, so that such couples are few and leave out what was varied. This rule was added after the map's records were seen.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtalign.claims import levels
from mtalign.claims.between_levels import refuted
from mtalign.claims.level_errors import at_seeds
from mtalign.claims.level_thresholds import crossings
from mtalign.claims.map_predictions import completed
from mtalign.claims.paper import Found
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.stats import Estimate


def alike_at_equal_alignment(runs: list[Run], records: Records, cells: pd.DataFrame | None = None) -> Found:
    """P14 for the runs of a map.

    Args:
        cells: of its finished levels, as `levels.cells` gives them, where they have been computed already.
    """
    if cells is None:
        cells = completed(levels.cells(runs, records, theory=False), levels.planned(runs))
    if cells is None:
        return Found("not tested here")
    return share_a_threshold(crossings(at_seeds(cells, levels.usual_seeds(cells))))


def share_a_threshold(crossings: pd.DataFrame) -> Found:
    """Fails where the levels' thresholds on pass@4 differ by more than chance; else undecided, as that proves no equality.

    Args:
        crossings: as `level_thresholds.crossings` gives them, all levels at the same RL seeds.

    >>> ends = {"low": [0.09, 0.38], "x50": [0.1, 0.4], "high": [0.11, 0.42], "se": [0.1, 0.1], "df": [9.0, 9.0], "seeds": 4}
    >>> found = share_a_threshold(pd.DataFrame({"level": ["centre", "agree=0.6"], **ends}))
    >>> found.outcome, found.because[:83]
    ('fails', 'levels of equal alignment behave otherwise: they do not take off at one threshold o')
    """
    apart, numbers = refuted(crossings)
    if apart is None:
        return Found("not tested here", {}, "fewer than two levels of the map have a threshold that can be weighed")
    said = (
        "levels of equal alignment behave otherwise: they do not take off at one threshold on pass@4"
        if apart
        else "that all levels take off at one threshold on pass@4 is not refuted, which does not show that they do"
    )
    return Found("fails" if apart else "undecided", _ends(crossings), f"{said}: {numbers}")


def _ends(crossings: pd.DataFrame) -> dict[str, Estimate]:
    """The lowest and the highest threshold that has an interval."""
    ends = crossings[np.isfinite(crossings[["low", "x50", "high"]].astype(float)).all(axis=1)].sort_values("x50")
    return {
        f"{which} threshold ({row.level})": Estimate(row.x50, row.low, row.high)
        for which, row in (("lowest", ends.iloc[0]), ("highest", ends.iloc[-1]))
    }
