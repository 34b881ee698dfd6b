"""Between levels of the map: how much their thresholds differ, what varies within a level, which predictor tells runs right."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import f

from mtalign.claims import take_off
from mtalign.claims.level_errors import LEAST_SEEDS, at_seeds
from mtalign.claims.level_thresholds import crossings
from mtalign.claims.levels import GAINED, MEASURE, usual_seeds

SURE = 0.05  # of p, below which one threshold is refuted


def heterogeneity(crossings: pd.DataFrame) -> dict[str, float]:
    """Whether levels have one threshold: Cochran's Q of ln x50, and how much of the spread is not chance (I², tau).

    A level weighs by its standard error, which rests on few RL seeds and base models: p is therefore Welch's (Biometrika 38 (1951)
    330), which for two levels is his t test. With four seeds a level it is still up to twice too small where one threshold is true.
    Levels whose standard error is not known, or rests on fewer than `LEAST_SEEDS` seeds, are left out and not tested. I² and tau
    take off what Q is in the mean where one threshold is true; they are of the levels that somebody chose, not of a population. Levels
    are taken as independent; they share RL seeds, and some their base models, so that p is rough. Higgins and Thompson, Statistics in
    Medicine 21 (2002) 1539; tau by DerSimonian and Laird (1986).

    Args:
        crossings: as `level_thresholds.crossings` gives them; of its columns x50, se, df and seeds count.

    Returns:
        `levels` (weighed), `left_out`, `Q`, `p`, `I2` (a share), `tau` (of ln x50); NaN with fewer than two levels.

    >>> same = pd.DataFrame({"x50": [0.2, 0.2, 0.1], "se": [0.3, 0.3, float("nan")], "df": [5.0, 5.0, float("nan")], "seeds": 4})
    >>> {name: float(value) for name, value in heterogeneity(same).items()}
    {'levels': 2.0, 'left_out': 1.0, 'Q': 0.0, 'p': 1.0, 'I2': 0.0, 'tau': 0.0}
    """
    known = crossings[["x50", "se", "df", "seeds"]].astype(float)
    kept = known[(known["se"] > 0) & (known["x50"] > 0) & (known["seeds"] >= LEAST_SEEDS)]
    number = len(kept)
    found = {"levels": number, "left_out": len(crossings) - number}
    if number < 2:
        return found | dict.fromkeys(("Q", "p", "I2", "tau"), float("nan"))
    log, weights, freedom = np.log(kept["x50"]), kept["se"] ** -2.0, number - 1
    loose = float(((1 - weights / weights.sum()) ** 2 / kept["df"]).sum())
    q = float((weights * (log - np.average(log, weights=weights)) ** 2).sum())
    scale = freedom * (1 + 2 * (number - 2) / (number**2 - 1) * loose)  # Q over it has an F distribution
    others = (number**2 - 1) / (
        3 * max(loose, 1e-12)
    )  # its second degrees of freedom; loose is 0 where errors are known exactly
    by_chance = scale * others / (others - 2) if others > 2 else float("inf")
    beyond = max(0.0, q - by_chance)
    return found | {
        "Q": q,
        "p": float(f.sf(q / scale, freedom, others)),
        "I2": beyond / q if q else 0.0,
        "tau": (beyond / float(weights.sum() - (weights**2).sum() / weights.sum())) ** 0.5,
    }


def refuted(crossings: pd.DataFrame) -> tuple[bool | None, str]:
    """Whether one threshold for all levels is refuted, and by which numbers; None where fewer than two can be weighed.

    Args:
        crossings: as `level_thresholds.crossings` gives them, all levels at the same RL seeds.

    >>> refuted(pd.DataFrame({"x50": [0.1, 0.4], "se": [0.1, 0.1], "df": [9.0, 9.0], "seeds": 4}))
    (True, "Cochran's Q over 2 levels, p below 0.001 by Welch's test, 99% of the spread is not chance")
    """
    between = heterogeneity(crossings)
    if between["levels"] < 2:
        return None, ""
    left = f" ({between['left_out']} that cannot be weighed left out)" if between["left_out"] else ""
    p = "below 0.001" if between["p"] < 0.001 else f"{between['p']:.3f}"
    said = f"Cochran's Q over {between['levels']} levels{left}, p {p} by Welch's test, {between['I2']:.0%} of the spread is not chance"
    return between["p"] < SURE, said


def _settled(crossings: pd.DataFrame) -> pd.DataFrame:
    """low, x50 and high of the levels of which all three are finite."""
    ends = crossings[["low", "x50", "high"]].astype(float)
    return ends[np.isfinite(ends).all(axis=1)]


def spreads(table: pd.DataFrame) -> dict[str, float]:
    """Standard deviations of the recovered share between base checkpoints of one dose, and between RL seeds of one checkpoint.

    By analysis of variance within level and dose, pooled over doses; the first is 0 where its estimate is negative.

    >>> cell = {"level": "a", "dose": 0.1}
    >>> found = spreads(pd.DataFrame([cell | {"shares": [0.0, 0.2]}, cell | {"shares": [1.0, 1.2]}]))
    >>> round(found["checkpoints"], 2), round(found["seeds"], 2)
    (0.7, 0.14)
    """
    within, between = [], []
    for _, these in table.groupby(["level", "dose"]):
        shares = [np.array(s) for s in these["shares"] if len(s) > 1]
        if len(shares) < 2:
            continue
        noise = float(np.mean([s.var(ddof=1) for s in shares]))
        within.append(noise)
        between.append(np.var([s.mean() for s in shares], ddof=1) - noise / np.mean([len(s) for s in shares]))
    if not within:
        return {"checkpoints": float("nan"), "seeds": float("nan")}
    return {"checkpoints": max(float(np.mean(between)), 0.0) ** 0.5, "seeds": float(np.mean(within)) ** 0.5}


AXES = ("pass@1", MEASURE, "maj@16", GAINED)


def axes(
    table: pd.DataFrame, measures: Iterable[str] = ("chance-corrected pass@1", MEASURE, GAINED, "working")
) -> pd.DataFrame:
    """On which measure levels come nearest to one threshold; of no prediction, exploratory.

    Returns:
        Columns measure; `told`, the share of runs that a threshold from the other levels tells right, in the mean over levels;
        `heterogeneity`'s, at the RL seeds that most levels have; the smallest and the largest x50 that has an interval. tau is of ln x50,
        so that it compares measures only where all begin at 0. Most told right first.
    """
    same, rows = at_seeds(table, usual_seeds(table)), []
    for measure in (name for name in measures if same[name].notna().all()):
        found, told = crossings(same, measure), hits(table.assign(theory=0.0), [measure])
        kept = _settled(found)["x50"]
        row = {"measure": measure, "told": told[measure].mean()}
        rows.append(row | heterogeneity(found) | {"smallest": kept.min(), "largest": kept.max()})
    columns = ["measure", "told", "levels", "left_out", "Q", "p", "I2", "tau", "smallest", "largest"]
    return pd.DataFrame(rows, columns=columns).sort_values("told", ascending=False, kind="stable", ignore_index=True)


def hits(table: pd.DataFrame, measures: Iterable[str] = AXES) -> pd.DataFrame:
    """How many runs of each level a predictor tells right, take-off or not.

    The theory predicts without a fit. A measure predicts by the threshold that tells most runs of other levels right, of base
    models that the level does not share (learning rates, budgets and group sizes share theirs with the centre: a threshold from the
    same base models has seen the level's alignments); or of the level's other pretraining seeds where there is no other level.

    Returns:
        Columns level, runs, `own` (whether no other level has its base models), and one for each predictor: the share of runs told
        right; `never` says of no run that it takes off.
    """
    table = table[table["testable"].astype(bool) & table["theory"].notna()]
    measures, rows = list(measures), []
    for level, these in table.groupby("level", sort=False):
        right = {
            "never": _right(these, these["theory"] > float("inf")),
            "theory": _right(these, these["theory"] > take_off.HALF),
        }
        for measure in measures:
            others = table[(table["level"] != level) & ~table["model"].isin(these["model"])]
            if not others.empty:
                right[measure] = _right(these, these[measure] > _threshold(others, measure))
                continue
            right[measure] = 0
            for seed in these["pretraining"].unique():
                own, rest = these[these["pretraining"] == seed], these[these["pretraining"] != seed]
                right[measure] += _right(own, own[measure] > _threshold(rest, measure)) if len(rest) else np.nan
        runs = int(these["runs"].sum())
        shared = table.loc[table["level"] != level, "model"].isin(these["model"]).any()
        row = {"level": level, "runs": runs, "own": not shared}
        rows.append(row | {name: number / runs for name, number in right.items()})
    return pd.DataFrame(rows, columns=["level", "runs", "own", "never", "theory", *measures])


def _right(cells: pd.DataFrame, predicted: pd.Series) -> int:
    return int(np.where(predicted, cells["taken"], cells["runs"] - cells["taken"]).sum())


def _threshold(cells: pd.DataFrame, measure: str) -> float:
    values = np.sort(cells[measure].unique())
    between = [-np.inf, *(values[:-1] + values[1:]) / 2, np.inf]
    return max(between, key=lambda threshold: _right(cells, cells[measure] > threshold))
