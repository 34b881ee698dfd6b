"""What was predicted of the published record, by rules that were committed before it was computed.

Known before, from a first look at the same file: medians of the recovered share where true labels gain at least 5 points
(majority vote 0.85, 0.94 where the base is below 25, 0.77 above; random 0.21 and 0.55, incorrect -0.04 and 0.61). None of the
orders within a paper and model, errors on papers left out or scores of forecasts was.
"""

from __future__ import annotations

import pandas as pd

from mtalign.claims import published_record, thresholds
from mtalign.claims.predictions import Judged, above, equal
from mtalign.claims.published_record import (
    CLAIM,
    FEW_PAPERS,
    Ordered,
    apart,
    clustered,
    left_out,
    ordered,
)
from mtalign.stats import Estimate

PAPER = "arXiv 2508.21188"
MEASURE = "chance-corrected pass@1"  # what a base accuracy is
FEWEST = 5  # cells on either side of a threshold
SMALL = 0.02  # of a Brier score: what a prediction gains at least that is of any use
SURE = 0.05
WORDS = {
    "majority_vote": "majority vote", "one_shot": "one example", "k_shot": "few examples", "format": "a format reward",
    "random": "a random reward", "incorrect": "an incorrect reward", "nsr": "negatives only", "psr": "positives only",
}  # fmt: skip
LOW_BASE = 0.25  # of the first look


def threshold(method: str) -> float:
    """The micro study's x50 of the method's claim, at pass@1."""
    return thresholds.load()["measures"][MEASURE][CLAIM[method]]["flip"]


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """For each method what there is: cells, papers, models and their sizes in billions, the median base and share, how often
    more than half is recovered, and the median share where the base is below and above `LOW_BASE`, as the first look had it."""
    rows = []
    for method, own in cells.groupby("method", sort=False):
        row = {"method": method, "cells": len(own), "papers": own["paper"].nunique(), "models": own["model"].nunique()}
        row |= {"smallest": own["billions"].min(), "largest": own["billions"].max(), "base": own["base"].median()}
        row |= {"share": own["share"].median(), "holds": own["holds"].mean()}
        low = own["base"] < LOW_BASE
        rows.append(row | {"share below": own["share"][low].median(), "share above": own["share"][~low].median()})
    return pd.DataFrame(rows)


def orders(cells: pd.DataFrame) -> pd.DataFrame:
    """For each method how alignment orders what it recovers: within a model over tasks, within a task over models.

    Returns:
        Columns method, compared (`tasks of a model` or `models on a task`), concordance (an `Estimate`; 0.5 is guessing),
        p_value and p_opposite (shares permuted), pairs, cells, papers; and `base_accuracy`, the concordance of the uncorrected accuracy.
    """
    rows = []
    for method, own in cells.groupby("method", sort=False):
        for within, words in (("model", "tasks of a model"), ("task", "models on a task")):
            found, plain = ordered(own, within=within), ordered(own, "base", within)
            if found:
                row = {"method": method, "compared": words, "concordance": found.concordance, "p_value": found.p_value}
                row |= {"p_opposite": found.p_opposite}
                row |= {"pairs": found.pairs, "cells": found.cells, "papers": found.papers}
                rows.append(row | {"base_accuracy": plain.concordance if plain else None})
    return pd.DataFrame(rows)


def sensitivity(table: pd.DataFrame, method: str = "majority_vote") -> pd.DataFrame:
    """The order of one method's cells, tasks of a model compared, where a choice of the analysis is made otherwise.

    Args:
        table: the file's rows, as `published_record.read` gives them.

    Returns:
        Columns choice, concordance, p_value, pairs, papers.
    """
    own = published_record.cells(table)
    choices = {
        "as stated": {"table": own},
        "true labels gain at least 10 points": {"table": published_record.cells(table, 10.0)},
        "numbers from the papers themselves": {"table": published_record.cells(table[table["kind"] == "primary"])},
        "base accuracy, all tasks": {"table": own, "measure": "base"},
        "accuracy less that of true labels": {"table": own, "outcome": "behind"},
    }
    rows = []
    for choice, asked in choices.items():
        if found := ordered(**asked | {"table": asked["table"][asked["table"]["method"] == method]}):
            row = {"choice": choice, "concordance": found.concordance, "p_value": found.p_value}
            rows.append(row | {"pairs": found.pairs, "papers": found.papers})
    return pd.DataFrame(rows)


def errors(cells: pd.DataFrame) -> pd.DataFrame:
    """For each method with two papers or more: the Brier scores of alignment's curve and of a constant, on papers left out.

    Returns:
        Columns method, cells, papers, holds (share of cells), curve, constant, coin (0.25), and better: what the curve
        gains over the constant, an `Estimate`.
    """
    rows = []
    for method, own in cells.groupby("method", sort=False):
        found = left_out(own)
        if len(found):
            row = {"method": method, "cells": len(found), "papers": found["paper"].nunique()}
            row |= {"holds": found["holds"].mean(), "curve": found["curve_error"].mean()}
            row |= {"constant": found["constant_error"].mean(), "coin": 0.25}
            rows.append(row | {"better": clustered(found, "better")})
    return pd.DataFrame(rows)


def sides(cells: pd.DataFrame) -> pd.DataFrame:
    """For each method how often it holds below and above the micro study's threshold, where it has one inside the range.

    Returns:
        Columns method, threshold, and `below` and `above` (the share of cells that hold), with `cells_below`, `cells_above` and
        `difference`, an `Estimate` of above less below, None with fewer than `FEWEST` cells on a side.
    """
    rows = []
    for method, own in cells.dropna(subset="alignment").groupby("method", sort=False):
        known = thresholds.load()["measures"][MEASURE].get(CLAIM[method])
        if not known or not thresholds.EVERYWHERE < known["flip"] < thresholds.NOWHERE:
            continue
        own = own.assign(above=(own["alignment"] > known["flip"]).astype(int))
        number = own["above"].value_counts().reindex([0, 1], fill_value=0)
        means = own.groupby("above")["holds"].mean()
        row = {"method": method, "threshold": known["flip"], "below": means.get(0), "above": means.get(1)}
        row |= {"cells_below": number[0], "cells_above": number[1]}
        rows.append(row | {"difference": apart(own, "holds", "above") if number.min() >= FEWEST else None})
    return pd.DataFrame(
        rows, columns=["method", "threshold", "below", "above", "cells_below", "cells_above", "difference"]
    )


def judge_order(method: str, found: Ordered) -> Judged:
    """That a method recovers more where the model is better aligned, tasks of one model in one paper compared."""
    statement = (
        f"Of two tasks of a model in one paper, {WORDS.get(method, method)} recovers more on the better aligned one"
    )
    because = f"it does in a share of {found.concordance}; pairs: {found.pairs}, papers: {found.papers}, p {found.p_value:.3f}"
    if found.papers >= FEW_PAPERS:
        judged = above(found.concordance, 0.5, statement, source=PAPER)
        return Judged(statement, judged.rule, judged.outcome, because, source=PAPER)
    rule = f"fewer than {FEW_PAPERS} papers: shares permuted within a model, p at most {SURE:g} confirms; for the opposite order refutes"
    outcome = "confirmed" if found.p_value <= SURE else "refuted" if found.p_opposite <= SURE else "undecided"
    return Judged(statement, rule, outcome, because, source=PAPER)


def judge_useless(better: Estimate) -> Judged:
    """Ours: that alignment predicts whether majority vote holds no better than a constant does."""
    outcome = "refuted" if better.low > 0 else "confirmed" if better.high < SMALL else "undecided"
    return Judged(
        "In the published record base accuracy predicts no better than a constant whether majority vote recovers half",
        f"Brier scores on papers left out: refuted where all of what it gains lies above 0, confirmed where below {SMALL:g}",
        outcome, f"it gains {better}",
    )  # fmt: skip


def judge_threshold(row: dict) -> Judged:
    """Ours: that a method holds less often below the micro study's threshold than above."""
    statement = f"{WORDS.get(row['method'], row['method']).capitalize()} holds less often below the micro study's threshold than above"
    counts = f"{row['cells_below']} cells below {row['threshold']:.3f}, {row['cells_above']} above"
    if row["difference"] is None:
        return Judged(statement, f"at least {FEWEST} cells on each side", "undecided", f"there are {counts}")
    judged = above(row["difference"], 0, statement)
    return Judged(statement, judged.rule, judged.outcome, f"above less below is {row['difference']}; {counts}")


def judged(cells: pd.DataFrame) -> list[Judged]:
    """All predictions about the cells with their outcomes."""
    found = {method: ordered(own) for method, own in cells.groupby("method", sort=False)}
    outcomes = [judge_order(method, order) for method, order in found.items() if order]
    if majority := found.get("majority_vote"):
        order, own = majority.concordance, left_out(cells[cells["method"] == "majority_vote"])
        shifted = Estimate(order.value - 0.5, order.low - 0.5, order.high - 0.5)
        outcomes.append(equal(shifted, "Alignment does not order majority vote: its concordance is that of guessing"))
        outcomes += [judge_useless(clustered(own, "better"))] if len(own) else []
    outcomes += [judge_threshold(row) for row in sides(cells).to_dict("records") if row["method"] == "majority_vote"]
    return outcomes
