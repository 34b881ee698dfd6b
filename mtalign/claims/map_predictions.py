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
from mtalign.claims import map_rules as rules
from mtalign.claims.level_thresholds import crossings
from mtalign.claims.levels import CENTRE, LARGER_ONE, ONES, SLOW_ONE, planned
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


FLOOR = ", where that setting can tell rewards apart (condition written after the runs)"
LATER = " (written on 2026-11-27, after the other levels and before these runs)"
PREDICTIONS = [
    Prediction("standard", "Standard RL gains at least 0.10 at each base model of the centre from dose 0.04 on", rules.standard_gains, show.gains, "cells"),
    Prediction("centre", "The centre's x50 is the theory's 0.038 of completions that work within a factor of 2", lambda t: rules.within(t, CENTRE, 0.019, 0.076), show.thresholds(CENTRE)),
    Prediction("theory", "The theory tells at least 0.85 of the centre's majority runs right, take-off or not", rules.theory_tells, show.told_right(CENTRE), "cells"),
    Prediction("agree", "Agreement of wrong guesses (0.3) raises x50 (\"at equal pass@k\" was struck after the run: the rule looks at the share of completions that work)", lambda t: rules.higher(t, "agree=0.3"), show.thresholds("agree=0.3", CENTRE)),
    Prediction("agree more", "More agreement (0.6) raises it further", lambda t: rules.higher(t, "agree=0.6"), show.thresholds("agree=0.6", "agree=0.3"), "agreement"),
    Prediction("many answers", "A hundred answers lower x50", lambda t: rules.lower(t, "arithmetic-100"), show.thresholds("arithmetic-100", CENTRE)),
    Prediction("few answers", "Four answers raise x50", lambda t: rules.higher(t, "arithmetic-4"), show.thresholds("arithmetic-4", CENTRE)),
    Prediction("fallible", "Working that is right with 0.7 raises x50", lambda t: rules.higher(t, "right=0.7"), show.thresholds("right=0.7", CENTRE)),
    Prediction("slow", "Learning rate 1e-4 leaves x50 within a factor of 1.5", lambda t: rules.unmoved(t, "lr=0.0001"), show.thresholds("lr=0.0001", CENTRE)),
    Prediction("rapid", "Learning rate 1e-3 leaves x50 within a factor of 1.5", lambda t: rules.unmoved(t, "lr=0.001"), show.thresholds("lr=0.001", CENTRE)),
    Prediction("long", "400 updates leave x50 within a factor of 1.5", lambda t: rules.unmoved(t, "updates=400"), show.thresholds("updates=400", CENTRE)),
    Prediction("small groups", "Groups of 4 leave x50 within a factor of 1.5", lambda t: rules.unmoved(t, "group=4"), show.thresholds("group=4", CENTRE)),
    Prediction("left out", "Over levels the theory tells as many runs right as chance-corrected pass@4 or more", rules.theory_beats, show.told_right(), "cells"),
    Prediction("negatives", "Where working is right with 0.7, negative samples recover half of standard RL's gain in 0.8 of runs from dose 0.1 on", rules.negatives_suffice, show.negatives(0.1), "nsr"),
    Prediction("negatives less", "There they recover 0.95 of it at most, in the mean: -1 on wrong samples cannot only choose the mode that works", rules.negatives_are_less, show.negatives(0.0), "nsr"),
    Prediction("clipping", "Eight updates per rollout at 1e-3 clip 0.05 to 0.2 of tokens (else clipping is not tested)", rules.clipping_is_active, show.clip_fraction, "drift"),
    Prediction("drift", f"Random rewards with clipping end within 0.05 of a shuffled majority: both are drift{FLOOR}", rules.where_told(rules.random_is_drift), show.changes, "drift"),
    Prediction("erosion", f"Random rewards with clipping raise accuracy by less than 0.05 at each dose{FLOOR}", rules.where_told(rules.random_erodes), show.changes, "drift"),
    Prediction("one example", "One example, 2,000 updates on-policy with an entropy bonus, recovers more than half in the mean at doses 0.2 and 0.4", rules.one_is_enough, show.one_example, "one"),
    Prediction("which example", "The best by historical variance is better than a random one by at most 0.1", rules.best_is_no_better, show.one_example, "one"),
    Prediction("short", f"50 updates leave x50 within a factor of 1.5{LATER}", lambda t: rules.unmoved(t, "updates=50"), show.thresholds("updates=50", CENTRE)),
    Prediction("larger", f"3 million parameters lower x50 (learning rate 1e-4){LATER}", lambda t: rules.lower(t, "size=3m, lr=0.0001"), show.thresholds("size=3m, lr=0.0001", CENTRE)),
    Prediction("slow example", f"One example at a tenth of the learning rate ends higher than at the centre's, at each dose{LATER}", rules.slow_one_keeps_more, show.one_example, "both rates"),
    Prediction("slow is not enough", f"There it recovers less than half in the mean, at each dose{LATER}", lambda t: rules.one_is_not_enough(t, SLOW_ONE), show.one_example, "slow one"),
    Prediction("larger example", f"One example with 0.65 million parameters at the rate that standard RL chose there (1e-4) recovers less than half in the mean, at each dose{LATER}", lambda t: rules.one_is_not_enough(t, LARGER_ONE), show.one_example, "larger one"),
    Prediction("seeds", "At the centre RL seeds differ more than base checkpoints of one dose", rules.seeds_matter_more, show.seeds, "cells"),
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
        drift, one: as `level_runs.drift` and `level_runs.one_example` give them.

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
    rates = [given["slow one"], given["one"]]
    given["both rates"] = None if any(table is None for table in rates) else pd.concat(rates)
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
