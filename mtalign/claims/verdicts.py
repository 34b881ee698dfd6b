"""Claims: what is said of an arm, what was predicted before the run, and the rule that decides it.

A claim about an arm holds for a (model, task) where the arm recovers more than half of what standard RL gains; it fails
where it recovers less than half; it is inconclusive where the interval contains one half, or where standard RL itself
gains nothing to be recovered. `standard_rl` is judged by the share of what is left to gain above the untrained model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtalign.config.run import Run
from mtalign.metrics import pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, grouped, guess_rates
from mtalign.stats import SMALLEST_GAIN, Estimate, Verdict, bootstrap_ci, decide, draw_means, holm, interval, recovered

THRESHOLD = 0.5  # of standard RL's gain; fixed before the first run of the study
ALIGNMENT_K = 4  # alignment is the chance-corrected pass@4 of the untrained model ...
STRONG = 0.5  # ... and strong from here on
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
    "predicted",
    "verdict",
    "p_value",
    "holm",
    "agrees",
    "why",
]


@dataclass(frozen=True)
class Claim:
    """A statement about one arm, with the verdict predicted for strong and for weak alignment.

    The predictions are the studied paper's (arXiv 2508.21188), stated before the runs; `source` made the claim first.
    """

    name: str
    arm: str
    statement: str
    strong: Verdict
    weak: Verdict
    source: str


CLAIMS = {
    claim.name: claim
    for claim in (
        Claim("standard_rl", "standard", "RL with true rewards gains at least half of what is left to gain", "holds", "holds", "arXiv 2508.21188"),
        Claim("random_reward", "random", "random rewards are enough", "holds", "fails", "arXiv 2506.10947"),
        Claim("incorrect_reward", "incorrect", "rewards for a wrong answer are enough", "holds", "fails", "arXiv 2506.10947"),
        Claim("inverted_reward", "inverted", "rewards for being wrong are enough", "holds", "fails", "arXiv 2508.21188"),
        Claim("format_reward", "format_only", "rewards for the format are enough", "holds", "fails", "arXiv 2506.10947"),
        Claim("majority_vote", "majority_vote", "the majority's answer replaces the label", "holds", "fails", "arXiv 2504.16084"),
        Claim("entropy_reward", "entropy", "the model's own confidence replaces the label", "holds", "fails", "arXiv 2505.15134"),
        Claim("one_example", "one_shot", "one training example is enough", "holds", "fails", "arXiv 2504.20571"),
        Claim("few_examples", "k_shot", "a few training examples are enough", "holds", "fails", "arXiv 2504.20571"),
        Claim("negative_samples", "nsr", "penalising wrong samples is enough", "holds", "fails", "arXiv 2506.01347"),
        Claim("positive_samples", "psr", "rewarding right samples is enough", "holds", "holds", "arXiv 2506.01347"),
        Claim("weighted_samples", "w_reinforce", "mostly penalising wrong samples is enough", "holds", "holds", "arXiv 2506.01347"),
        Claim("released_negative_samples", "nsr_released", "penalising wrong samples as the release does is enough", "holds", "fails", "release of arXiv 2508.21188"),
    )
}  # fmt: skip


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
    """The estimate that decides the claim, its verdict, and the two-sided p-value of a share of exactly one half.

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
    below = float(np.mean(draws < THRESHOLD))
    p_value = min(1.0, 2 * max(min(below, 1 - below), 1 / DRAWS))
    gain = interval(0.0, means[1] - means[2])
    if gain.low <= SMALLEST_GAIN:
        return estimate, "inconclusive", 1.0
    return estimate, decide(estimate, THRESHOLD), p_value


def verdicts(runs: list[Run], records: Records, claims: Iterable[Claim] = CLAIMS.values()) -> pd.DataFrame:
    """A verdict for each claim and (model, task) of the runs: claims x pairs, from finished records alone.

    Returns:
        Columns claim, statement, model, task, alignment, panel, recovered (an `Estimate`), seeds, predicted, verdict,
        p_value, holm (p-value corrected for the number of claims and pairs tested), agrees; a claim whose runs have failed has verdict `missing` and the reason in `why`.
    """
    rows = []
    for (model, task), table in grouped(runs, records).items():
        for claim in claims:
            if claim.arm not in table or "standard" not in table or "base" not in table:
                continue
            row = {"claim": claim.name, "statement": claim.statement, "model": model, "task": task}
            used = table[claim.arm] + table["standard"] + table["base"]
            if lost := [r for r in used if r["status"] != "finished"]:
                rows.append(row | {"verdict": "missing", "why": lost[0]["reason"]})
                continue
            base = table["base"][0]
            estimate, verdict, p_value = judge(
                claim, *(accuracies(table[name]) for name in (claim.arm, "standard", "base"))
            )
            level = alignment(base).value
            predicted = claim.strong if panel(level) == "strong" else claim.weak
            row |= {"alignment": level, "panel": panel(level), "recovered": estimate}
            row |= {
                "seeds": len(table[claim.arm]),
                "predicted": predicted,
                "verdict": verdict,
                "p_value": p_value,
                "why": "",
            }
            rows.append(row | {"agrees": verdict == predicted})
    return correct(pd.DataFrame(rows, columns=VERDICT_COLUMNS))


def correct(table: pd.DataFrame) -> pd.DataFrame:
    """The table of verdicts with its column `holm` computed over all its tests."""
    table["holm"] = table["p_value"]
    table.loc[table["p_value"].notna(), "holm"] = holm(table["p_value"].dropna().tolist())
    return table


def generator() -> np.random.Generator:
    """The generator of every interval shown: the same records give the same intervals."""
    return np.random.default_rng(BOOTSTRAP_SEED)
