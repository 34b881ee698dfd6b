"""The slider of a dose ladder: one dose at a time, its points in every panel and its numbers in a table.

All tables are in the page. Without scripts the slider is not shown, and the panels show all doses, as at its first place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from mtalign.notebook.palette import label
from mtalign.report.findings import MEASURE


@dataclass(frozen=True)
class Stop:
    """One place of the slider: a dose, the alignment of its pairs, and for each arm its shares and the runs that took off."""

    dose: str
    alignment: str
    rows: list[tuple[str, str, str]]


def dial(models: Iterable[str]) -> list[float]:
    """The doses of models on a ladder, from none up; of one dose or none there is nothing to draw.

    >>> dial(["dose-0.40", "dose-0.04", "micro-a"]), dial(["micro-a"])
    ([0.04, 0.4], [])
    """
    found = {float(name.removeprefix("dose-")) for name in models if re.fullmatch(r"dose-\d\.\d+", name)}
    return sorted(found) if len(found) > 1 else []


def stops(shares: pd.DataFrame, doses: list[float]) -> list[Stop]:
    """A place for each dose of the ladder, from none up; none where models are not on a ladder.

    Args:
        shares: as `dose_response.shares` gives it; a dose at which standard RL gains nothing has no rows there.
        doses: as `dial` gives them.
    """
    return [_stop(f"{dose:.2f}", shares[shares["model"] == f"dose-{dose:.2f}"]) for dose in doses]


def _stop(dose: str, here: pd.DataFrame) -> Stop:
    rows = []
    for arm, these in here.groupby("arm", sort=False):
        values = [estimate.value for estimate in these["recovered"]]
        runs = int(these["runs"].sum())
        taken = f"{int(these['took_off'].sum())} of {runs}" if runs else "not trained"
        rows.append((label(arm), _between(values), taken))
    return Stop(dose, _between(list(here[MEASURE])) if len(here) else "", rows)


def _between(values: list[float]) -> str:
    """Two ends of some values.

    >>> _between([0.2, 0.1]), _between([0.201, 0.199])
    ('0.10 to 0.20', '0.20')
    """
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"
