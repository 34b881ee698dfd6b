"""Dose-response: how much of standard RL's gain an arm recovers against measured alignment, over all pairs.

Three questions, each answered with an interval from the same draws over seeds and prompts:
where does a claim flip from fails to holds (`flips`), which measure of alignment ranks the pairs as the claim does, and
which predicts the recovered share on a task that was left out (`predictors`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr

from mtalign.claims.verdicts import BOOTSTRAP_SEED, THRESHOLD, generator
from mtalign.config.run import Run
from mtalign.metrics import chance_corrected, maj_at_k_counts, pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped, guess_rates, truths, votes
from mtalign.stats import SMALLEST_GAIN, draw_means, interval, recovered

DRAWS = 1000


def measures(base: dict) -> dict[str, float]:
    """What can be measured of an untrained model on a task, as means over the prompts of its record."""
    evaluation, number = base["after"], base["after"]["num_samples"]
    chance = guess_rates(base)
    found = {"greedy": float(np.mean(evaluation["greedy"]))}
    for k in (k for k in (1, 4, 16, 64) if k <= number):
        found[f"pass@{k}"] = float(pass_at_k_counts(evaluation["correct"], number, k).mean())
        found[f"maj@{k}"] = float(maj_at_k_counts(votes(evaluation), truths(base), k, generator()).mean())
        if k in (1, 4, 16):
            found[f"chance-corrected pass@{k}"] = float(chance_corrected(found[f"pass@{k}"], chance, k))
    found.pop("maj@1")  # is pass@1
    if "maj@16" in found:
        found["maj@16 - pass@1"] = found["maj@16"] - found["pass@1"]
    return found


def shares(runs: list[Run], records: Records) -> pd.DataFrame:
    """A row for each arm and pair whose runs are finished, where standard RL gains something.

    Returns:
        Columns model, task, arm, the measures of the untrained model, `gain` (accuracy after - before), `recovered`
        (an `Estimate`), `value` (its value, cut to `SHOWN`) and `draws`, an array (DRAWS,), cut alike.
    """
    rows = []
    for (model, task), arms in grouped(runs, records).items():
        arms = complete_arms(arms)
        if "base" not in arms or "standard" not in arms:
            continue
        base, standard = accuracies(arms["base"]), accuracies(arms["standard"])
        found = measures(arms["base"][0])
        for arm in (a for a in arms if a not in ("base", "standard")):
            after = accuracies(arms[arm])
            means = draw_means([after, standard, base], BOOTSTRAP_SEED, DRAWS, bounds=(0, 1))
            if np.percentile(means[1] - means[2], 2.5) <= SMALLEST_GAIN:
                continue
            draws = recovered(*means)
            value = float(recovered(after.mean(), standard.mean(), base.mean()))
            row = {"model": model, "task": task, "arm": arm, **found, "gain": after.mean() - base.mean()}
            row |= {
                "recovered": interval(value, draws),
                "value": np.clip(value, *SHOWN),
                "draws": np.clip(draws, *SHOWN),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def crossing(x: np.ndarray, y: np.ndarray, threshold: float = THRESHOLD) -> float:
    """Where the best non-decreasing curve through (x, y) crosses the threshold, between two points.

    Returns:
        -inf where the curve lies above it everywhere, inf where below.

    >>> round(crossing(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.4, 0.8])), 3)
    0.625
    """
    order = np.argsort(x, kind="stable")
    x, curve = x[order], isotonic_regression(y[order]).x
    if curve[0] > threshold:
        return -np.inf
    if curve[-1] <= threshold:
        return np.inf
    after = int(np.argmax(curve > threshold))
    low, high = curve[after - 1], curve[after]
    return float(x[after - 1] + (x[after] - x[after - 1]) * (threshold - low) / (high - low))


def flips(table: pd.DataFrame, measure: str = "chance-corrected pass@4") -> pd.DataFrame:
    """The alignment at which each arm's claim flips from fails to holds, over all its pairs.

    Args:
        table: as `shares` gives it.

    Returns:
        Columns arm, pairs, flip, low, high; -inf means that it holds everywhere, inf nowhere.
    """
    rows = []
    for arm, these in table.groupby("arm", sort=False):
        x = these[measure].to_numpy()
        draws = np.stack(these["draws"])  # (pairs, draws)
        crossings = np.array([crossing(x, y) for y in draws.T])
        low, high = np.percentile(crossings, [2.5, 97.5], method="nearest")
        rows.append(
            {"arm": arm, "pairs": len(these), "flip": crossing(x, these["value"].to_numpy()), "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def predictors(table: pd.DataFrame) -> pd.DataFrame:
    """How well each measure of alignment predicts each arm's recovered share.

    Returns:
        Columns arm, measure, rank_correlation (Spearman's, over pairs) with low and high, and error: the mean absolute
        error on each task of the best non-decreasing curve fitted on the other tasks. Best measure first, for each arm.
    """
    names = [c for c in table.columns if c == "greedy" or "@" in c]
    rows = []
    for arm, these in table.groupby("arm", sort=False):
        draws = np.stack(these["draws"])  # (pairs, draws)
        for name in names:
            x = these[name].to_numpy()
            if len(set(x)) < 3:
                continue
            ranks = [spearmanr(x, y).statistic for y in draws.T[:300]]
            estimate = interval(float(spearmanr(x, these["value"]).statistic), np.nan_to_num(ranks))
            row = {
                "arm": arm,
                "measure": name,
                "rank_correlation": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
            }
            rows.append(row | {"error": _left_out_error(these, name)})
    found = pd.DataFrame(rows, columns=["arm", "measure", "rank_correlation", "low", "high", "error"])
    return found.sort_values(["arm", "error"], kind="stable").reset_index(drop=True)


def _left_out_error(table: pd.DataFrame, measure: str) -> float:
    """Mean absolute error, over tasks left out in turn; NaN with fewer than two tasks."""
    errors = []
    for task in table["task"].unique():
        known, other = table[table["task"] != task], table[table["task"] == task]
        if known.empty:
            return float("nan")
        known = known.sort_values(measure, kind="stable")
        curve = isotonic_regression(known["value"].to_numpy()).x
        errors += list(np.abs(np.interp(other[measure], known[measure], curve) - other["value"]))
    return float(np.mean(errors))


SHOWN = (-1.0, 1.5)  # recovered shares are cut here: a ratio of small gains says little
