"""Claims: what is said of an arm, what was predicted before the run, and the rule that decides it.

A claim about an arm holds for a (model, task) where the arm recovers more than half of what standard RL gains; it fails
where it recovers less than half, in both cases with its whole interval and after Holm's correction for the number of tests
in the table; else it is inconclusive. `raw` is the verdict without the correction. A claim is *not testable*, and no test,
where standard RL gains less than `LEAST_GAIN`, or where the arm had no signal: fewer than `LEAST_SIGNAL` of its groups had
rewards that differ, so that it was hardly trained. For `standard_rl` the gain is what is left to gain above the untrained
model: it is judged by the share of it that standard RL reaches, and not testable where less than `LEAST_GAIN` is left.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims.take_off import rate, took_off
from mtalign.config.claims import CLAIMS, Claim
from mtalign.config.run import Run
from mtalign.metrics import pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, grouped, guess_rates
from mtalign.stats import SMALLEST_GAIN, Estimate, Verdict, bootstrap_ci, decide, draw_means, holm, interval, recovered

THRESHOLD = 0.5  # of standard RL's gain; fixed before the first run of the study
ALIGNMENT_K = 4  # alignment is the chance-corrected pass@4 of the untrained model ...
STRONG = 0.5  # ... and strong from here on
LEAST_GAIN = 0.10  # in accuracy: of less, a share says little
LEAST_SIGNAL = 0.05  # of groups, over all rollouts and seeds
LEVEL = 0.05  # family-wise
BOOTSTRAP_SEED = 0
DRAWS = 20_000  # of a verdict: p-values are corrected for their number, so small ones must be told apart
VERDICT_COLUMNS = [
    "claim",
    "statement",
    "model",
    "task",
    "alignment",
    "panel",
    "recovered",
    "seeds",
    "took_off",
    "take_off",
    "predicted",
    "verdict",
    "raw",
    "p_value",
    "holm",
    "agrees",
    "why",
]


def alignment(base: dict) -> Estimate:
    """Measured alignment from the record of an untrained model: chance-corrected pass@4, with its interval.

    Corrected for what guessing as often as this model guesses reaches (`guess_rates`), prompts being drawn with their
    chance.
    """
    evaluation = base["after"]
    value = pass_at_k_counts(evaluation["correct"], evaluation["num_samples"], ALIGNMENT_K)  # (P,)
    guessing = 1 - (1 - guess_rates(base)) ** ALIGNMENT_K  # (P,)
    return bootstrap_ci([value[None], guessing[None]], lambda v, g: (v - g) / (1 - g), BOOTSTRAP_SEED)


def panel(alignment: float) -> str:
    """`strong` or `weak`.

    >>> panel(0.9), panel(0.1)
    ('strong', 'weak')
    """
    return "strong" if alignment >= STRONG else "weak"


def judge(claim: Claim, arm: np.ndarray, standard: np.ndarray, base: np.ndarray) -> tuple[Estimate, Verdict, float]:
    """The estimate that decides the claim, its verdict before any correction, and the two-sided p-value of one half.

    The p-value is NaN where the claim is not testable.

    Args:
        arm, standard: accuracies (S, P) after training, seeds and prompts paired.
        base: accuracies (1, P) of the untrained model.
    """
    means = draw_means([arm, standard, base], BOOTSTRAP_SEED, DRAWS, bounds=(0, 1))
    values = [float(a.mean()) for a in (arm, standard, base)]
    if claim.arm == "standard":  # the share of what is left to gain
        means, values = [means[1], np.ones(DRAWS), means[2]], [values[1], 1.0, values[2]]
    draws = recovered(*means)
    estimate = interval(float(recovered(*map(np.array, values))), draws)
    if values[1] - values[2] < LEAST_GAIN:
        return estimate, "not testable", float("nan")
    if interval(0.0, means[1] - means[2]).low <= SMALLEST_GAIN:
        return estimate, "inconclusive", 1.0
    below = float(np.mean(draws < THRESHOLD))
    p_value = min(1.0, 2 * max(min(below, 1 - below), 1 / DRAWS))
    return estimate, decide(estimate, THRESHOLD), p_value


def verdicts(runs: list[Run], records: Records, claims: Iterable[Claim] = CLAIMS.values()) -> pd.DataFrame:
    """A verdict for each claim and (model, task) of the runs: claims x pairs, from finished records alone.

    Returns:
        Columns claim, statement, model, task, alignment, panel, recovered (an `Estimate`), seeds, took_off (how many of
        the runs did) and take_off (their share, an `Estimate`), predicted, verdict, raw (before the correction),
        p_value, holm (p-value corrected for the number of claims and pairs tested), agrees; a claim whose runs have
        failed has verdict `missing`; `why` has the reason of that, or of why it is not testable.
    """
    rows = []
    for (model, task), table in grouped(runs, records).items():
        for claim in claims:
            if claim.arm not in table or "standard" not in table or "base" not in table:
                continue
            row = {"claim": claim.name, "statement": claim.statement, "model": model, "task": task}
            used = table[claim.arm] + table["standard"] + table["base"]
            if lost := [r for r in used if r["status"] != "finished"]:
                rows.append(row | {"verdict": "missing", "raw": "missing", "why": lost[0]["reason"]})
                continue
            rows.append(row | _tested(claim, table))
    return correct(pd.DataFrame(rows, columns=VERDICT_COLUMNS))


def _tested(claim: Claim, table: dict[str, list[dict]]) -> dict:
    """The columns of a claim's row that follow from the finished records of a pair, by arm."""
    arm, standard, base = (accuracies(table[name]) for name in (claim.arm, "standard", "base"))
    estimate, raw, p_value = judge(claim, arm, standard, base)
    level, reached = alignment(table["base"][0]).value, standard if claim.arm != "standard" else np.ones((1, 1))
    taken, why = took_off(arm, reached, base), ""
    if raw == "not testable":
        gain = f"{reached.mean() - base.mean():.2f}"
        why = f"only {gain} is left to gain" if claim.arm == "standard" else f"standard RL gains only {gain}"
    elif (share := signal(table[claim.arm])) < LEAST_SIGNAL:
        raw, p_value, why = "not testable", float("nan"), f"no signal: rewards differ in {share:.3f} of the groups"
    strength = panel(level)
    return {
        "alignment": level,
        "panel": strength,
        "recovered": estimate,
        "seeds": len(arm),
        "took_off": None if raw == "not testable" else int(taken.sum()),
        "take_off": None if raw == "not testable" else rate(int(taken.sum()), len(taken)),
        "predicted": claim.strong if strength == "strong" else claim.weak,
        "raw": raw,
        "p_value": p_value,
        "why": why,
    }


def signal(records: list[dict]) -> float:
    """The share of groups whose rewards differ, over all rollouts of the runs; 1 where something else than rewards that
    differ within a group gives a push (negative or positive samples alone, entropy in the loss), or nothing was trained."""
    curves = [r["curve"] for r in records if "frac_reward_zero_std" in r.get("curve", ())]
    if not curves or any(r["config"]["objective"] != "grpo" or r["config"]["entropy_coef"] for r in records):
        return 1.0
    return float(np.mean([1 - np.mean(curve["frac_reward_zero_std"]) for curve in curves]))


def correct(table: pd.DataFrame) -> pd.DataFrame:
    """The table of verdicts with `holm` computed over all its tests, and `verdict` and `agrees` as they stand after it."""
    table["holm"] = table["p_value"]
    table.loc[table["p_value"].notna(), "holm"] = holm(table["p_value"].dropna().tolist())
    return settled(table)


def settled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `verdict` and `agrees` as they follow from `raw` and `holm`."""
    stands = ~table["raw"].isin(["holds", "fails"]) | (table["holm"] <= LEVEL)
    table["verdict"] = table["raw"].where(stands, "inconclusive")
    table["agrees"] = (table["verdict"] == table["predicted"]).where(table["raw"] != "missing")
    return table


def generator() -> np.random.Generator:
    """The generator of every interval shown: the same records give the same intervals."""
    return np.random.default_rng(BOOTSTRAP_SEED)
