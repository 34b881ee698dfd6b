"""Predictions for params/map.yaml as rules, written before its runs: each is judged by computation from the cells.

Their numbers come from the mean-field theory (`mean_field`), whose constant was fitted on standard RL of reports/study, at
what a base model was expected to be: competence 0.9, and a favourite guess 1.2 times as frequent as chance. It put the
share of working completions at which a majority takes off at 0.06 in the centre (0.05 for competence 1 or a favourite of
0.11, 0.07 for 0.14); at 0.01 with 100 answers, 0.11 with 4; 0.07 and 0.11 where working is right with 0.9 and 0.7; 0.20 and
0.36 where 0.3 and 0.6 of wrong guesses agree; and *unmoved* (0.05 to 0.07) by the learning rate, by 50 or 400 updates
and by groups of 4: working races against a favourite guess, and a race has no clock. Those were placed by it: doses.

Power (`map_power`, x50 at 0.05): with three pretraining seeds and eight RL seeds the centre's x50 is known within a factor of
1.15 if checkpoints differ little (0.1 in ln x50), of 1.4 if they differ by 0.3; against a level with four RL seeds a shift
by 1.37 or by 2.0 to 2.2 is seen with power 0.8. Twice the RL seeds help little where checkpoints differ; more pretraining
seeds would. What shifts by less than 1.4 cannot be told from no shift, and is called undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mtalign.claims.map import crossings, hits, spreads

X = "working"  # the axis of the theory: the share of completions of the untrained model that show working
FEWEST = 0.9  # of a level's runs, before which it is not judged


@dataclass(frozen=True)
class Prediction:
    """A sentence and its rule: cells and planned runs of each level -> right, wrong or None while it is undecided."""

    name: str
    words: str
    rule: Callable[[pd.DataFrame], bool | None]


def _x50(table: pd.DataFrame) -> pd.DataFrame:
    return crossings(table, X).set_index("level")


def _within(table: pd.DataFrame, level: str, low: float, high: float) -> bool | None:
    """Whether the level's x50 lies between two values: right where its interval does, wrong where it is wholly outside."""
    found = _x50(table)
    if level not in found.index or pd.isna(found.loc[level, "x50"]):
        return None
    at = found.loc[level]
    if low <= at["low"] and at["high"] <= high:
        return True
    return False if at["high"] < low or at["low"] > high else None


def _above(table: pd.DataFrame, upper: str, lower: str) -> bool | None:
    """Whether one level's x50 is above another's: decided where their intervals are apart."""
    found = _x50(table)
    if not {upper, lower} <= set(found.index) or found.loc[[upper, lower], "x50"].isna().any():
        return None
    one, other = found.loc[upper], found.loc[lower]
    if one["low"] > other["high"]:
        return True
    return False if one["high"] < other["low"] else None


def _unmoved(table: pd.DataFrame, level: str, factor: float = 1.5) -> bool | None:
    """Whether a level's x50 is the centre's within a factor: right where both ends of its interval are, wrong where apart."""
    found = _x50(table)
    if not {level, "centre"} <= set(found.index):
        return None
    centre = found.loc["centre", "x50"]
    return _within(table, level, centre / factor, centre * factor)


def _standard_gains(table: pd.DataFrame) -> bool | None:
    these = table[(table["level"] == "centre") & (table["dose"] >= 0.04)]
    return None if these.empty else bool(these["testable"].all())


def _theory_tells(table: pd.DataFrame, least: float = 0.85) -> bool | None:
    these = hits(table[table["level"] == "centre"])
    return None if these.empty else bool(these["theory"].iloc[0] >= least)


def _theory_beats(table: pd.DataFrame) -> bool | None:
    found = hits(table)
    if len(found) < 5:
        return None
    return bool(found["theory"].mean() >= found["chance-corrected pass@4"].mean())


def _seeds_matter_more(table: pd.DataFrame) -> bool | None:
    found = spreads(table[table["level"] == "centre"])
    return None if pd.isna(found["seeds"]) else found["seeds"] > found["checkpoints"]


PREDICTIONS = [
    Prediction("standard", "Standard RL gains at least 0.10 at each base model of the centre from dose 0.04 on", _standard_gains),
    Prediction("centre", "The centre's x50 lies between 0.03 and 0.09 of completions that work", lambda t: _within(t, "centre", 0.03, 0.09)),
    Prediction("theory", "The theory tells at least 0.85 of the centre's majority runs right, take-off or not", _theory_tells),
    Prediction("agree", "Agreement of wrong guesses (0.3) raises x50 at equal pass@k", lambda t: _above(t, "agree_3", "centre")),
    Prediction("agree more", "More agreement (0.6) raises it further", lambda t: _above(t, "agree_6", "agree_3")),
    Prediction("many answers", "A hundred answers lower x50", lambda t: _above(t, "centre", "answers_100")),
    Prediction("few answers", "Four answers raise x50", lambda t: _above(t, "answers_4", "centre")),
    Prediction("fallible", "Working that is right with 0.7 raises x50", lambda t: _above(t, "right_7", "centre")),
    Prediction("slow", "Learning rate 1e-4 leaves x50 within a factor of 1.5", lambda t: _unmoved(t, "slow")),
    Prediction("rapid", "Learning rate 1e-3 leaves x50 within a factor of 1.5", lambda t: _unmoved(t, "rapid")),
    Prediction("long", "400 updates leave x50 within a factor of 1.5", lambda t: _unmoved(t, "updates_400")),
    Prediction("small groups", "Groups of 4 leave x50 within a factor of 1.5", lambda t: _unmoved(t, "group_4")),
    Prediction("left out", "Over levels the theory tells as many runs right as chance-corrected pass@4 or more", _theory_beats),
    Prediction("seeds", "At the centre RL seeds differ more than base checkpoints of one dose", _seeds_matter_more),
]  # fmt: skip


def judged(table: pd.DataFrame, planned: dict[str, int]) -> pd.DataFrame:
    """What came of each prediction: `right`, `wrong`, `undecided`; levels count once most of their runs have finished.

    Args:
        table: as `map.cells` gives it.
        planned: runs of each level that the grid asks for.
    """
    done = table.groupby("level")["runs"].sum() if len(table) else {}
    complete = [level for level in planned if level in done and done[level] >= FEWEST * planned[level]]
    kept = table[table["level"].isin(complete)] if len(table) else table
    rows = []
    for each in PREDICTIONS:
        found = each.rule(kept) if len(kept) else None
        rows.append(
            {
                "prediction": each.name,
                "words": each.words,
                "outcome": {True: "right", False: "wrong", None: "undecided"}[found],
            }
        )
    return pd.DataFrame(rows)
