"""The rules by which the map's predictions are judged: a table -> right, wrong, or None while it is undecided.

They were written before the runs, in `map_predictions`, which holds the predictions; where a condition was added after them, it says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mtalign.claims.between_levels import hits, spreads
from mtalign.claims.level_errors import LEAST_SEEDS
from mtalign.claims.levels import CENTRE, ONE, SLOW_ONE
from mtalign.claims.paper_examples import GUESSING


def within(found: pd.DataFrame, level: str, low: float, high: float) -> bool | None:
    """Whether the level's x50 lies between two values: right where its interval does, wrong where it is wholly outside."""
    if level not in found.index or pd.isna(found.loc[level, "x50"]):
        return None
    at = found.loc[level]
    if low <= at["low"] and at["high"] <= high:
        return True
    return False if at["high"] < low or at["low"] > high else None


def higher(found: pd.DataFrame, level: str) -> bool | None:
    """Whether a level's x50 is above that of the reference of the table: decided where `apart` says so."""
    if level not in found.index or not found.loc[level, "apart"]:
        return None
    return bool(found.loc[level, "ratio_low"] > 1)


def lower(found: pd.DataFrame, level: str) -> bool | None:
    above = higher(found, level)
    return None if above is None else not above


def unmoved(found: pd.DataFrame, level: str, factor: float = 1.5) -> bool | None:
    """Whether a level's x50 is the centre's within a factor: right where the interval of their ratio is, wrong where it is wholly outside."""
    if level not in found.index or not found.loc[level, "seeds"] >= LEAST_SEEDS:
        return None
    low, high = found.loc[level, ["ratio_low", "ratio_high"]].astype(float)
    if 1 / factor <= low and high <= factor:
        return True
    return False if high < 1 / factor or low > factor else None


def standard_gains(table: pd.DataFrame) -> bool | None:
    these = table[(table["level"] == CENTRE) & (table["dose"] >= 0.04)]
    return None if these.empty else bool(these["testable"].all())


def theory_tells(table: pd.DataFrame, least: float = 0.85) -> bool | None:
    these = hits(table[table["level"] == CENTRE])
    return None if these.empty else bool(these["theory"].iloc[0] >= least)


def theory_beats(table: pd.DataFrame) -> bool | None:
    found = hits(table)
    if len(found) < 5:
        return None
    return bool(found["theory"].mean() >= found["chance-corrected pass@4"].mean())


def seeds_matter_more(table: pd.DataFrame) -> bool | None:
    found = spreads(table[table["level"] == CENTRE])
    return None if pd.isna(found["seeds"]) else found["seeds"] > found["checkpoints"]


def negatives_suffice(cells: pd.DataFrame) -> bool | None:
    these = cells[(cells["level"] == "right=0.7") & cells["testable"] & (cells["dose"] >= 0.1)]
    return None if these.empty else bool(these["taken"].sum() >= 0.8 * these["runs"].sum())


def negatives_are_less(cells: pd.DataFrame) -> bool | None:
    these = cells[(cells["level"] == "right=0.7") & cells["testable"]]
    return None if these.empty else bool(these["shares"].explode().astype(float).mean() <= 0.95)


def clipping_is_active(runs: pd.DataFrame) -> bool | None:
    """A condition, not a hope: where the clip fraction is not what it is meant to be, clipping was not tested."""
    return bool(runs[runs["arm"] == "random_clipped"]["clip_fraction"].between(0.05, 0.2).mean() >= 0.5)


def difference(one: pd.Series, other: pd.Series) -> tuple[float, float]:
    """The difference of two means, and its standard error."""
    return one.mean() - other.mean(), (one.var() / len(one) + other.var() / len(other)) ** 0.5


def at_each(sides: list[bool | None]) -> bool | None:
    """Whether all are right; wrong as soon as one is, else undecided as soon as one is."""
    return False if False in sides else None if None in sides else True


def random_is_drift(runs: pd.DataFrame) -> bool | None:
    """Within 0.05 of the shuffled majority at each dose, if the 95% interval of the difference allows to say so."""
    sides = []
    for _, these in runs.groupby("dose"):
        one, other = (these[these["arm"] == arm]["change"] for arm in ("random_clipped", "shuffled_clipped"))
        gap, error = difference(one, other)
        sides.append(True if abs(gap) + 2 * error <= 0.05 else False if abs(gap) - 2 * error > 0.05 else None)
    return at_each(sides)


def random_erodes(runs: pd.DataFrame) -> bool | None:
    return bool(runs[runs["arm"] == "random_clipped"].groupby("dose")["change"].mean().max() < 0.05)


def one_is_enough(runs: pd.DataFrame) -> bool | None:
    best = runs[runs["rank"] == "best"]
    return bool(best.groupby("dose")["share"].mean().min() > 0.5)


def best_is_no_better(runs: pd.DataFrame) -> bool | None:
    """The mean of the best example's shares above the random one's by at most 0.1; undecided within two standard errors.

    Undecided too where every run ends at guessing, at which no example can be better (since 2026-11-27, after the runs).
    """
    if "accuracy" in runs and (runs["accuracy"] <= runs["chance"] + GUESSING).all():
        return None
    best, other = (runs[runs["rank"] == rank]["share"] for rank in ("best", "random"))
    gap, error = difference(best, other)
    return True if gap + 2 * error <= 0.1 else False if gap - 2 * error > 0.1 else None


def slow_one_keeps_more(runs: pd.DataFrame) -> bool | None:
    """At each dose the mean share above that at the centre's learning rate, by more than two standard errors."""
    sides = []
    for _, these in runs.groupby("dose"):
        slow, usual = (these[these["level"] == level]["share"] for level in (SLOW_ONE, ONE))
        gap, error = difference(slow, usual)
        sides.append(True if gap > 2 * error else False if gap < -2 * error else None)
    return at_each(sides)


def one_is_not_enough(runs: pd.DataFrame, level: str) -> bool | None:
    return bool(runs[runs["level"] == level].groupby("dose")["share"].mean().max() < 0.5)


def telling(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs at doses where that setting can tell rewards apart: the majority itself ends higher there than when shuffled.

    A condition written after the runs: where every reward ends at guessing, "as a shuffled majority" could not come out
    otherwise.
    """
    change = runs.groupby(["dose", "arm"])["change"].mean().unstack()
    if "majority_clipped" not in change:
        return runs
    return runs[runs["dose"].isin(change.index[change["majority_clipped"] - change["shuffled_clipped"] > 0.05])]


def where_told(rule: Callable[[pd.DataFrame], bool | None]) -> Callable[[pd.DataFrame], bool | None]:
    def judged_there(runs: pd.DataFrame) -> bool | None:
        these = telling(runs)
        return None if these.empty else rule(these)

    return judged_there
