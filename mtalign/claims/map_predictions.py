"""Predictions for params/map.yaml as rules, written before its runs: each is judged by computation from the cells.

Their numbers come from the mean-field theory (`mean_field`), whose constant was fitted on standard RL of reports/study, at
what a base model was expected to be: competence 0.9, and a favourite guess 1.06 times as frequent as chance, as in
reports/study. It put the share of working completions at which a majority takes off at 0.038 in the centre (0.032 for
competence 1, 0.08 for a favourite of 0.14); at 0.008 with 100 answers, 0.08 with 4; 0.044 and 0.069 where working is right
with 0.9 x 0.9 and 0.7 x 0.9; 0.23 and 0.36 where 0.3 and 0.6 of wrong guesses agree; and *hardly moved* (0.032 to 0.044) by the
learning rate, by 50 or 400 updates and by groups of 4: working races against a favourite guess, and a race has no clock.
Doses were placed by it.

Power (`map_power`, x50 at 0.05): with three pretraining seeds and eight RL seeds the centre's x50 is known within a factor of
1.15 if checkpoints differ little (0.1 in ln x50), of 1.4 if they differ by 0.3; against a level with four RL seeds a shift
by 1.37 or by 2.0 to 2.2 is seen with power 0.8. Twice the RL seeds help little where checkpoints differ; more pretraining
seeds would. What shifts by less than 1.4 cannot be told from no shift, and is called undecided. One example (added on
2026-11-27): shares of one dose spread by 0.03 at the centre's rate; with four slow runs a dose, were they to spread by 0.1, a
difference of 0.15 is seen with power 0.8. So it is for the four of a dose with 0.65 million parameters (added the same day, before
any run on one example at another rate or size had finished). Added on 2026-11-27, after a hostile reading and before their runs: doses
0.1 and 0.2 with 400 updates, as with those below the centre's x50 alone it could only have fallen; and RL seeds 2 and 3 for 0.65
million parameters at 1e-4, as two seeds cannot say how much seeds differ (at 3e-4 too, as first written, did not fit into the day: 12
of its 72 runs had finished, were not looked at, and are not among the records). Their rules stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mtalign.claims import map_evidence as show
from mtalign.claims.between_levels import hits, spreads
from mtalign.claims.levels import CENTRE, LARGER_ONE, ONE, ONES, SLOW_ONE, crossings, planned
from mtalign.config import paths
from mtalign.config.grid import load_grid

X = "working"  # the axis of the theory: the share of completions of the untrained model that show working
FEWEST = 0.9  # of a level's runs, before which it is not judged


@dataclass(frozen=True)
class Prediction:
    """A sentence and its rule: a table -> right, wrong, or None while it is undecided."""

    name: str
    words: str
    rule: Callable[[pd.DataFrame], bool | None]
    shows: Callable[[pd.DataFrame], str]  # the numbers that the rule looked at
    of: str = "x50"  # what both are given; see `judged`


def _within(found: pd.DataFrame, level: str, low: float, high: float) -> bool | None:
    """Whether the level's x50 lies between two values: right where its interval does, wrong where it is wholly outside."""
    if level not in found.index or pd.isna(found.loc[level, "x50"]):
        return None
    at = found.loc[level]
    if low <= at["low"] and at["high"] <= high:
        return True
    return False if at["high"] < low or at["low"] > high else None


def _higher(found: pd.DataFrame, level: str) -> bool | None:
    """Whether a level's x50 is above that of the reference of the table: decided where `apart` says so."""
    if level not in found.index or not found.loc[level, "apart"]:
        return None
    at = found.loc[level]
    return bool(at["ratio"] > 1 if pd.notna(at["ratio"]) else at["low"] > at["reference_high"])


def _lower(found: pd.DataFrame, level: str) -> bool | None:
    higher = _higher(found, level)
    return None if higher is None else not higher


def _unmoved(found: pd.DataFrame, level: str, factor: float = 1.5) -> bool | None:
    """Whether a level's x50 is the centre's within a factor: right where the interval of their ratio is, wrong where it is wholly outside."""
    if level not in found.index:
        return None
    at = found.loc[level]
    if pd.isna(at["ratio"]):
        return _unmoved_beyond(at, factor)
    if 1 / factor <= at["ratio_low"] and at["ratio_high"] <= factor:
        return True
    return False if at["ratio_high"] < 1 / factor or at["ratio_low"] > factor else None


def _unmoved_beyond(at: pd.Series, factor: float) -> bool | None:
    """The same where an x50 was not reached, and there is no ratio: wrong where the level's lies beyond the factor of the centre's interval."""
    ends = at[["low", "high", "reference_low", "reference_high"]].astype(float)
    if ends.isna().any():
        return None
    return (
        False
        if ends["low"] > factor * ends["reference_high"] or ends["high"] < ends["reference_low"] / factor
        else None
    )


def _standard_gains(table: pd.DataFrame) -> bool | None:
    these = table[(table["level"] == CENTRE) & (table["dose"] >= 0.04)]
    return None if these.empty else bool(these["testable"].all())


def _theory_tells(table: pd.DataFrame, least: float = 0.85) -> bool | None:
    these = hits(table[table["level"] == CENTRE])
    return None if these.empty else bool(these["theory"].iloc[0] >= least)


def _theory_beats(table: pd.DataFrame) -> bool | None:
    found = hits(table)
    if len(found) < 5:
        return None
    return bool(found["theory"].mean() >= found["chance-corrected pass@4"].mean())


def _seeds_matter_more(table: pd.DataFrame) -> bool | None:
    found = spreads(table[table["level"] == CENTRE])
    return None if pd.isna(found["seeds"]) else found["seeds"] > found["checkpoints"]


def _negatives_suffice(cells: pd.DataFrame) -> bool | None:
    these = cells[(cells["level"] == "right=0.7") & cells["testable"] & (cells["dose"] >= 0.1)]
    return None if these.empty else bool(these["taken"].sum() >= 0.8 * these["runs"].sum())


def _negatives_are_less(cells: pd.DataFrame) -> bool | None:
    these = cells[(cells["level"] == "right=0.7") & cells["testable"]]
    return None if these.empty else bool(these["shares"].explode().astype(float).mean() <= 0.95)


def _clipping_is_active(runs: pd.DataFrame) -> bool | None:
    """A condition, not a hope: where the clip fraction is not what it is meant to be, clipping was not tested."""
    return bool(runs[runs["arm"] == "random_clipped"]["clip_fraction"].between(0.05, 0.2).mean() >= 0.5)


def _difference(one: pd.Series, other: pd.Series) -> tuple[float, float]:
    """The difference of two means, and its standard error."""
    return one.mean() - other.mean(), (one.var() / len(one) + other.var() / len(other)) ** 0.5


def _at_each(sides: list[bool | None]) -> bool | None:
    """Whether all are right; wrong as soon as one is, else undecided as soon as one is."""
    return False if False in sides else None if None in sides else True


def _random_is_drift(runs: pd.DataFrame) -> bool | None:
    """Within 0.05 of the shuffled majority at each dose, if the 95% interval of the difference allows to say so."""
    sides = []
    for _, these in runs.groupby("dose"):
        one, other = (these[these["arm"] == arm]["change"] for arm in ("random_clipped", "shuffled_clipped"))
        gap, error = _difference(one, other)
        sides.append(True if abs(gap) + 2 * error <= 0.05 else False if abs(gap) - 2 * error > 0.05 else None)
    return _at_each(sides)


def _random_erodes(runs: pd.DataFrame) -> bool | None:
    return bool(runs[runs["arm"] == "random_clipped"].groupby("dose")["change"].mean().max() < 0.05)


def _one_is_enough(runs: pd.DataFrame) -> bool | None:
    best = runs[runs["rank"] == "best"]
    return bool(best.groupby("dose")["share"].mean().min() > 0.5)


def _best_is_no_better(runs: pd.DataFrame) -> bool | None:
    """The mean of the best example's shares above the random one's by at most 0.1; undecided within two standard errors.

    Undecided too where every run ends at guessing, at which no example can be better (since 2026-11-27, after the runs).
    """
    if "accuracy" in runs and (runs["accuracy"] <= runs["chance"] + 0.05).all():
        return None
    best, other = (runs[runs["rank"] == rank]["share"] for rank in ("best", "random"))
    gap, error = _difference(best, other)
    return True if gap + 2 * error <= 0.1 else False if gap - 2 * error > 0.1 else None


def _slow_one_keeps_more(runs: pd.DataFrame) -> bool | None:
    """At each dose the mean share above that at the centre's learning rate, by more than two standard errors."""
    sides = []
    for _, these in runs.groupby("dose"):
        slow, usual = (these[these["level"] == level]["share"] for level in (SLOW_ONE, ONE))
        gap, error = _difference(slow, usual)
        sides.append(True if gap > 2 * error else False if gap < -2 * error else None)
    return _at_each(sides)


def _one_is_not_enough(runs: pd.DataFrame, level: str) -> bool | None:
    return bool(runs[runs["level"] == level].groupby("dose")["share"].mean().max() < 0.5)


def _telling(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs at doses where that setting can tell rewards apart: the majority itself ends higher there than when shuffled.

    A condition written after the runs: where every reward ends at guessing, "as a shuffled majority" could not come out
    otherwise.
    """
    change = runs.groupby(["dose", "arm"])["change"].mean().unstack()
    if "majority_clipped" not in change:
        return runs
    return runs[runs["dose"].isin(change.index[change["majority_clipped"] - change["shuffled_clipped"] > 0.05])]


def _where_told(rule: Callable[[pd.DataFrame], bool | None]) -> Callable[[pd.DataFrame], bool | None]:
    def judged_there(runs: pd.DataFrame) -> bool | None:
        these = _telling(runs)
        return None if these.empty else rule(these)

    return judged_there


FLOOR = ", where that setting can tell rewards apart (condition written after the runs)"
LATER = " (written on 2026-11-27, after the other levels and before these runs)"
PREDICTIONS = [
    Prediction("standard", "Standard RL gains at least 0.10 at each base model of the centre from dose 0.04 on", _standard_gains, show.gains, "cells"),
    Prediction("centre", "The centre's x50 is the theory's 0.038 of completions that work within a factor of 2", lambda t: _within(t, CENTRE, 0.019, 0.076), show.thresholds(CENTRE)),
    Prediction("theory", "The theory tells at least 0.85 of the centre's majority runs right, take-off or not", _theory_tells, show.told_right(CENTRE), "cells"),
    Prediction("agree", "Agreement of wrong guesses (0.3) raises x50 (\"at equal pass@k\" was struck after the run: the rule looks at the share of completions that work)", lambda t: _higher(t, "agree=0.3"), show.thresholds("agree=0.3", CENTRE)),
    Prediction("agree more", "More agreement (0.6) raises it further", lambda t: _higher(t, "agree=0.6"), show.thresholds("agree=0.6", "agree=0.3"), "agreement"),
    Prediction("many answers", "A hundred answers lower x50", lambda t: _lower(t, "arithmetic-100"), show.thresholds("arithmetic-100", CENTRE)),
    Prediction("few answers", "Four answers raise x50", lambda t: _higher(t, "arithmetic-4"), show.thresholds("arithmetic-4", CENTRE)),
    Prediction("fallible", "Working that is right with 0.7 raises x50", lambda t: _higher(t, "right=0.7"), show.thresholds("right=0.7", CENTRE)),
    Prediction("slow", "Learning rate 1e-4 leaves x50 within a factor of 1.5", lambda t: _unmoved(t, "lr=0.0001"), show.thresholds("lr=0.0001", CENTRE)),
    Prediction("rapid", "Learning rate 1e-3 leaves x50 within a factor of 1.5", lambda t: _unmoved(t, "lr=0.001"), show.thresholds("lr=0.001", CENTRE)),
    Prediction("long", "400 updates leave x50 within a factor of 1.5", lambda t: _unmoved(t, "updates=400"), show.thresholds("updates=400", CENTRE)),
    Prediction("small groups", "Groups of 4 leave x50 within a factor of 1.5", lambda t: _unmoved(t, "group=4"), show.thresholds("group=4", CENTRE)),
    Prediction("left out", "Over levels the theory tells as many runs right as chance-corrected pass@4 or more", _theory_beats, show.told_right(), "cells"),
    Prediction("negatives", "Where working is right with 0.7, negative samples recover half of standard RL's gain in 0.8 of runs from dose 0.1 on", _negatives_suffice, show.negatives(0.1), "nsr"),
    Prediction("negatives less", "There they recover 0.95 of it at most, in the mean: -1 on wrong samples cannot only choose the mode that works", _negatives_are_less, show.negatives(0.0), "nsr"),
    Prediction("clipping", "Eight updates per rollout at 1e-3 clip 0.05 to 0.2 of tokens (else clipping is not tested)", _clipping_is_active, show.clip_fraction, "drift"),
    Prediction("drift", f"Random rewards with clipping end within 0.05 of a shuffled majority: both are drift{FLOOR}", _where_told(_random_is_drift), show.changes, "drift"),
    Prediction("erosion", f"Random rewards with clipping raise accuracy by less than 0.05 at each dose{FLOOR}", _where_told(_random_erodes), show.changes, "drift"),
    Prediction("one example", "One example, 2,000 updates on-policy with an entropy bonus, recovers more than half in the mean at doses 0.2 and 0.4", _one_is_enough, show.one_example, "one"),
    Prediction("which example", "The best by historical variance is better than a random one by at most 0.1", _best_is_no_better, show.one_example, "one"),
    Prediction("short", f"50 updates leave x50 within a factor of 1.5{LATER}", lambda t: _unmoved(t, "updates=50"), show.thresholds("updates=50", CENTRE)),
    Prediction("larger", f"3 million parameters lower x50 (learning rate 1e-4){LATER}", lambda t: _lower(t, "size=3m, lr=0.0001"), show.thresholds("size=3m, lr=0.0001", CENTRE)),
    Prediction("slow example", f"One example at a tenth of the learning rate ends higher than at the centre's, at each dose{LATER}", _slow_one_keeps_more, show.one_example, "slow one"),
    Prediction("slow is not enough", f"There it recovers less than half in the mean, at each dose{LATER}", lambda t: _one_is_not_enough(t, SLOW_ONE), show.one_example, "slow one"),
    Prediction("larger example", f"One example with 0.65 million parameters at the rate that standard RL chose there (1e-4) recovers less than half in the mean, at each dose{LATER}", lambda t: _one_is_not_enough(t, LARGER_ONE), show.one_example, "larger one"),
    Prediction("seeds", "At the centre RL seeds differ more than base checkpoints of one dose", _seeds_matter_more, show.seeds, "cells"),
]  # fmt: skip


def asked_for() -> dict[str, int]:
    """How many runs params/map.yaml asks for at each level."""
    return planned(load_grid(paths.shared("params") / "map.yaml").runs)


def judged(
    table: pd.DataFrame,
    asked: dict[str, int],
    nsr: pd.DataFrame | None = None,
    drift: pd.DataFrame | None = None,
    one: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What came of each prediction: `right`, `wrong`, `undecided`, and why; levels count once most of their runs have finished.

    A level is compared with the centre at its own RL seeds, by the interval of their ratio (`level_errors`; since 2026-11-27, after the
    runs): a seed is the same order of prompts, and the same random numbers, for all base models of a level.

    Args:
        table: cells of the majority vote, as `levels.cells` gives them.
        asked: runs of each level that the grid asks for; under "drift" and the names of `ONES` those of the two tables below.
        nsr: cells of negative samples.
        drift, one: as `levels.drift` and `levels.one_example` give them.

    Returns:
        Columns prediction, words, outcome, because.
    """
    cells = completed(table, asked)
    given = {"cells": cells, "nsr": completed(nsr, asked)}  # by `Prediction.of`
    for name, reference in (("x50", CENTRE), ("agreement", "agree=0.3")):
        given[name] = None if cells is None else crossings(_beside(cells, reference), X, reference).set_index("level")
    alone = {} if one is None or one.empty else dict(tuple(one.groupby("level")))
    for name, found in (("drift", drift), *((name, alone.get(level)) for name, level in ONES.items())):
        given[name] = found if found is not None and len(found) >= FEWEST * asked.get(name, 1) else None
    if given["slow one"] is not None:
        given["slow one"] = one  # beside those at the centre's learning rate
    rows = []
    for each in PREDICTIONS:
        known = given[each.of] is not None
        found = each.rule(given[each.of]) if known else None
        outcome = "undecided" if found is None else "right" if found else "wrong"
        because = each.shows(given[each.of]) if known else show.NOTHING
        rows.append({"prediction": each.name, "words": each.words, "outcome": outcome, "because": because})
    return pd.DataFrame(rows)


def _beside(cells: pd.DataFrame, reference: str) -> pd.DataFrame:
    """All cells for the centre; for another reference those of the levels that a prediction compares with it."""
    return cells if reference == CENTRE else cells[cells["level"].isin([reference, "agree=0.6"])]


def completed(table: pd.DataFrame | None, asked: dict[str, int]) -> pd.DataFrame | None:
    """The cells of levels of which most runs have finished (`FEWEST` of them); None where there are none."""
    if table is None or table.empty:
        return None
    done = table.groupby("level")["runs"].sum()
    kept = table[table["level"].map(done) >= FEWEST * table["level"].map(asked)]
    return None if kept.empty else kept
