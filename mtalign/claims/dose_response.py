"""Dose-response: how much of standard RL's gain an arm recovers against measured alignment, over all pairs.

Three questions, each answered with an interval from the same draws over seeds and prompts:
where does a claim flip from fails to holds (`flips`, by mean shares and by the runs that take off), which measure of alignment ranks the pairs as the claim does, and
which predicts the recovered share on a task that was left out (`predictors`).
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import rankdata, spearmanr

from mtalign.claims import level_errors
from mtalign.claims.take_off import took_off
from mtalign.claims.untrained import UNTRAINED, untrained
from mtalign.claims.verdicts import BOOTSTRAP_SEED, LEAST_GAIN, LEAST_SIGNAL, THRESHOLD, generator, signal
from mtalign.config.run import Run
from mtalign.metrics import maj_at_k_counts, pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped, guess_rates, truths, votes
from mtalign.stats import SMALLEST_GAIN, draw_means, interval, prompt_weights, recovered

DRAWS = 1000


def measures(base: dict, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """What can be measured of an untrained model on a task, as means over the prompts of its record: arrays (draws,).

    Args:
        weights: of the prompts (draws, P), one row for each draw; None for all prompts alike, one draw.
    """
    evaluation, number, guess = base["after"], base["after"]["num_samples"], guess_rates(base)
    if weights is None:
        weights = np.full((1, len(guess)), 1 / len(guess))
    found = {"greedy": weights @ np.array(evaluation["greedy"], dtype=float)}
    for k in (k for k in (1, 4, 16, 64) if k <= number):
        found[f"pass@{k}"] = weights @ pass_at_k_counts(evaluation["correct"], number, k)
        found[f"maj@{k}"] = weights @ maj_at_k_counts(votes(evaluation), truths(base), k, generator())
        if k in (1, 4, 16):
            guessing = weights @ (1 - (1 - guess) ** k)
            found[f"chance-corrected pass@{k}"] = (found[f"pass@{k}"] - guessing) / (1 - guessing)
    found.pop("maj@1")  # is pass@1
    if "maj@16" in found:
        found["maj@16 - pass@1"] = found["maj@16"] - found["pass@1"]
    return found


def measured(base: dict) -> dict[str, float]:
    """The `measures` of a record over all its prompts alike."""
    return {name: float(value[0]) for name, value in measures(base).items()}


def shares(runs: list[Run], records: Records) -> pd.DataFrame:
    """A row for each arm and pair whose runs are finished and that can be tested (`verdicts`); untrained ways included.

    Intervals and flips rest on the same draws: prompts are drawn once for each task, as pairs of one task share them,
    for the measures of the untrained model too; seeds are drawn for each pair by itself.

    Returns:
        Columns model, task, arm, the measures of the untrained model, `gain` (accuracy after - before), `recovered`
        (an `Estimate`), `value` (its value, cut to `SHOWN`) and `draws`, an array (DRAWS,), cut alike; `measured`, the
        draws of the measures, name -> (DRAWS,); `took_off` of `runs` trained runs (0 for what is not trained), their `shares`
        and `seeds`, the share of the best of them, `largest`, and their `updates`.
    """
    rows, weights = [], {}
    for (model, task), arms in grouped(runs, records).items():
        arms = complete_arms(arms)
        if "base" not in arms or "standard" not in arms:
            continue
        base, standard = accuracies(arms["base"]), accuracies(arms["standard"])
        if task not in weights:
            weights[task] = prompt_weights(_generator(task), base.shape[1], DRAWS)
        drawn = {"weights": weights[task], "draws": DRAWS, "bounds": (0, 1)}
        about = {"model": model, "task": task, "measured": measures(arms["base"][0], weights[task])}
        about |= measured(arms["base"][0])
        trained = {arm: accuracies(these) for arm, these in arms.items() if arm not in ("base", "standard", *UNTRAINED)}
        for arm, after in (untrained(arms) | trained).items():
            means = draw_means([after, standard, base], _generator(model, task), **drawn)
            gain = standard.mean() - base.mean()
            if gain < LEAST_GAIN or np.percentile(means[1] - means[2], 2.5) <= SMALLEST_GAIN:
                continue
            if arm in trained and signal(arms[arm]) < LEAST_SIGNAL:
                continue
            value = float(recovered(after.mean(), standard.mean(), base.mean()))
            draws = recovered(*means)
            row = {"arm": arm, "gain": after.mean() - base.mean(), "recovered": interval(value, draws)}
            row |= {"value": np.clip(value, *SHOWN), "draws": np.clip(draws, *SHOWN)}
            rows.append(about | row | _runs(after if arm in trained else after[:0], standard, base))
            rows[-1]["seeds"] = [record["config"]["seed"] for record in arms[arm]] if arm in trained else []
            rows[-1]["updates"] = arms[arm][0]["config"]["max_steps"] if arm in trained else 0
    return pd.DataFrame(rows)


def _generator(*names: str) -> np.random.Generator:
    """A generator of its own for each task or pair, the same each time."""
    return np.random.default_rng([BOOTSTRAP_SEED, *(crc32(name.encode()) for name in names)])


def _runs(after: np.ndarray, standard: np.ndarray, base: np.ndarray) -> dict[str, float]:
    if not len(after):
        return {"took_off": 0, "runs": 0, "largest": float("nan"), "shares": []}
    each = recovered(after.mean(axis=1), standard.mean(), base.mean())
    found = {"took_off": int(took_off(after, standard, base).sum()), "runs": len(after)}
    return found | {"largest": float(each.max()), "shares": each.tolist()}


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
    """The alignment at which each arm's claim flips from fails to holds, over all its pairs, in two ways.

    Args:
        table: as `shares` gives it.

    Returns:
        Columns arm, pairs; flip, low, high: where the mean share crosses one half, alignment resampled with its prompts;
        x50, x50_low, x50_high: where half of the runs take off (`mixed_logit`; where it was reached, the interval knows that
        pairs share RL seeds, `level_errors.interval`), NaN for what is not trained; took_off of
        `runs`; `largest`, the best share of a single run; `best`, the best mean share of a pair; `updates`; `before` and
        `after`, the measured alignments between which the flip lies. -inf means that it holds everywhere, inf nowhere.
    """
    rows = []
    for arm, these in table.groupby("arm", sort=False):
        draws, x = np.stack(these["draws"]), _drawn(these, measure)  # (pairs, draws)
        crossings = np.array([crossing(*both) for both in zip(x.T, draws.T, strict=True)])
        low, high = np.percentile(crossings, [2.5, 97.5], method="nearest")
        flip = crossing(these[measure].to_numpy(), these["value"].to_numpy())
        row = {"arm": arm, "pairs": len(these), "flip": flip, "low": low, "high": high}
        row |= {
            "before": these.loc[these[measure] <= flip, measure].max(),
            "after": these.loc[these[measure] >= flip, measure].min(),
        }
        row |= {"took_off": int(these["took_off"].sum()), "runs": int(these["runs"].sum())}
        row |= {"largest": these["largest"].max(), "best": these["value"].max(), "updates": int(these["updates"].max())}
        rows.append(row | _x50(these, measure))
    return pd.DataFrame(rows)


def _x50(these: pd.DataFrame, measure: str) -> dict[str, float]:
    if not these["runs"].sum():
        return dict.fromkeys(("x50", "x50_low", "x50_high"), float("nan"))
    cells = these.assign(taken=these["took_off"])
    found = level_errors.estimate(cells, measure)
    reached = np.isfinite(
        found.x50
    )  # else the end is not shown, and would be found by as many profiles as there are seeds
    ends = level_errors.interval(cells, measure, found) if reached else (found.x50, found.low, found.high)
    return dict(zip(("x50", "x50_low", "x50_high"), ends, strict=True))


def _drawn(these: pd.DataFrame, measure: str) -> np.ndarray:
    """The draws of a measure, (pairs, draws)."""
    return np.stack([measured[measure] for measured in these["measured"]])


def predictors(table: pd.DataFrame) -> pd.DataFrame:
    """How well each measure of alignment predicts each trained arm's recovered share.

    Returns:
        Columns arm, measure, rank_correlation (Spearman's, over pairs) with low and high, and error: the mean absolute
        error on each task of the best non-decreasing curve fitted on the other tasks. Best measure first, for each arm.
    """
    names = [c for c in table.columns if c == "greedy" or "@" in c]
    table, rows = table[table["runs"] > 0], []
    for arm, these in table.groupby("arm", sort=False):
        draws = np.stack(these["draws"])  # (pairs, draws)
        for name in names:
            x, drawn = these[name].to_numpy(), _drawn(these, name)
            if len(set(x)) < 3:
                continue
            ranks = _rank_correlations(drawn.T[:300], draws.T[:300])
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


def _rank_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's of each row of two arrays (draws, pairs), as `spearmanr` has it for one; NaN where all of a row are equal."""
    ranks = [rankdata(each, axis=1) for each in (one, other)]
    a, b = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


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
