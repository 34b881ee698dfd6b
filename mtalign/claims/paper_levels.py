"""P14 in a map of models by recipe: do levels of equal alignment take off alike, by the thresholds that the map's index shows.

The rule for other grids compares couples of different tasks. In a map a level differs from another in one factor, most often not
in the task, so that such couples are few and leave out what was varied. This rule was added after the map's records were seen.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims import levels
from mtalign.claims.between_levels import heterogeneity
from mtalign.claims.map_predictions import completed
from mtalign.claims.paper import Found
from mtalign.config.run import Run
from mtalign.models.dialled import is_dialled
from mtalign.records.store import Records
from mtalign.stats import Estimate

APART = 0.05  # of p, below which one threshold is refuted, as on the map's index


def is_map(runs: Iterable[Run]) -> bool:
    """Whether there are runs, and all models are built by recipe.

    >>> is_map([Run("micro:arithmetic?dose=0.1", "arithmetic")]), is_map([Run("micro-a", "logic")]), is_map([])
    (True, False, False)
    """
    models = {run.model for run in runs}
    return bool(models) and all(map(is_dialled, models))


def alike_at_equal_alignment(runs: list[Run], records: Records, cells: pd.DataFrame | None = None) -> Found:
    """P14 for the runs of a map.

    Args:
        cells: of its finished levels, as `levels.cells` gives them, where they have been computed already.
    """
    if cells is None:
        cells = completed(levels.cells(runs, records, theory=False), levels.planned(runs))
    if cells is None:
        return Found("not tested here")
    return share_a_threshold(levels.crossings(levels.at_seeds(cells, levels.usual_seeds(cells))))


def share_a_threshold(crossings: pd.DataFrame) -> Found:
    """Fails where the levels' thresholds on pass@4 differ by more than chance; else undecided, as that proves no equality.

    Args:
        crossings: as `levels.crossings` gives them, all levels at the same RL seeds.

    >>> ends = {"low": [0.09, 0.38], "x50": [0.1, 0.4], "high": [0.11, 0.42]}
    >>> found = share_a_threshold(pd.DataFrame({"level": ["centre", "agree=0.6"], **ends}))
    >>> found.outcome, found.because[:83]
    ('fails', 'levels of equal alignment behave otherwise: they do not take off at one threshold o')
    """
    between = heterogeneity(crossings)
    if between["levels"] < 2:
        return Found("not tested here", {}, "fewer than two levels of the map have a threshold with an interval")
    refuted = between["p"] < APART
    said = (
        "levels of equal alignment behave otherwise: they do not take off at one threshold on pass@4"
        if refuted
        else "that all levels take off at one threshold on pass@4 is not refuted, which does not show that they do"
    )
    left = f" ({between['left_out']} without an interval left out)" if between["left_out"] else ""
    p = "below 0.001" if between["p"] < 0.001 else f"{between['p']:.3f}"
    said += (
        f": Cochran's Q over {between['levels']} levels{left}, p {p}, {between['I2']:.0%} of the spread is not chance"
    )
    return Found("fails" if refuted else "undecided", _ends(crossings), said)


def _ends(crossings: pd.DataFrame) -> dict[str, Estimate]:
    """The lowest and the highest threshold that has an interval."""
    ends = crossings[np.isfinite(crossings[["low", "x50", "high"]].astype(float)).all(axis=1)].sort_values("x50")
    return {
        f"{which} threshold ({row.level})": Estimate(row.x50, row.low, row.high)
        for which, row in (("lowest", ends.iloc[0]), ("highest", ends.iloc[-1]))
    }
