"""Intervals over seeds and prompts, and the verdict rule. Arrays are (S, P): S seeds, P prompts.

Prompts are resampled (they are many, and the same for all arms, so differences are paired). Seeds are few, and the
bootstrap's intervals are far too narrow for two to five of them; so the mean over seeds is drawn from Student's t with
S - 1 degrees of freedom around the observed mean, with the observed covariance between arms (seeds are paired too).
With one seed the spread between seeds is unknown, and the interval covers prompts alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

DRAWS = 2000
SMALLEST_GAIN = 0.01  # in accuracy
Verdict = Literal["holds", "fails", "inconclusive", "not testable"]


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; its ends are NaN where there is none.

    >>> str(Estimate(0.5, 0.25, 0.75)), str(Estimate(0.5, float("nan"), float("nan")))
    ('0.50 [0.25, 0.75]', '0.50, no interval')
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.low) and np.isnan(self.high):
            return f"{self.value:.2f}, no interval"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def draw_means(
    arms: list[np.ndarray],
    rng: np.random.Generator | int,
    draws: int = DRAWS,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    weights: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Draws of each arm's mean, prompts resampled and the mean over seeds from Student's t: arrays (draws,).

    Args:
        arms: one or more arrays (S, P), or (1, P) for an arm without seeds (the untrained model). The prompts are the
            same in all; the seeds are the same in all that have more than one.
        rng: of the resampling, a generator or its seed; from one seed the same prompts and seeds are drawn each time, and
            drawn once.
        bounds: what a mean can be, (0, 1) for accuracies; means drawn outside are put on the bound.
        weights: of the prompts, (draws, P), where they were drawn already (`prompt_weights`): pairs of one task share
            their prompts, but not their seeds.

    Raises:
        ValueError: no data, or prompts or seeds that do not match.
    """
    arms = [np.asarray(a, dtype=float) for a in arms]
    if not arms or any(a.ndim != 2 or a.size == 0 for a in arms):
        raise ValueError("arms: expected arrays of shape (S, P) with data")
    prompts = arms[0].shape[1]
    seeds = max(a.shape[0] for a in arms)
    if any(a.shape[1] != prompts or a.shape[0] not in (1, seeds) for a in arms):
        raise ValueError(f"arms: prompts or seeds do not match: {[a.shape for a in arms]}")
    if weights is not None:
        shift = _shifts(np.random.default_rng(rng), seeds, draws)  # a generator is used as it is
    else:
        weights, shift = (_resampled_once if isinstance(rng, int) else _resampled)(rng, prompts, seeds, draws)
    drawn = []
    for arm in arms:
        mean = weights @ arm.T  # (draws, S or 1)
        centre = mean.mean(axis=1)
        if mean.shape[1] > 1:
            centre = centre + ((mean - centre[:, None]) * shift).sum(axis=1)
        drawn.append(np.clip(centre, *bounds))
    return drawn


def _resampled(rng: np.random.Generator, prompts: int, seeds: int, draws: int) -> tuple[np.ndarray, np.ndarray | None]:
    weights = prompt_weights(rng, prompts, draws)
    return weights, _shifts(rng, seeds, draws)


def prompt_weights(rng: np.random.Generator, prompts: int, draws: int = DRAWS) -> np.ndarray:
    """How often each prompt is drawn, as a share (draws, P)."""
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=draws) / prompts


def _shifts(rng: np.random.Generator, seeds: int, draws: int) -> np.ndarray | None:
    """What multiplies the seeds' deviations from their mean (draws, S); None with one seed, whose spread is unknown."""
    if seeds == 1:
        return None
    # z / sqrt(S (S - 1) w) times deviations: Student's t of the mean, with the covariance between arms
    normal = rng.standard_normal((draws, seeds))
    chi2 = rng.chisquare(seeds - 1, size=(draws, 1)) / (seeds - 1)
    return normal / np.sqrt(seeds * (seeds - 1) * chi2)


@lru_cache(maxsize=4)  # of 16 MB each, for the verdicts of 100 prompts
def _resampled_once(seed: int, prompts: int, seeds: int, draws: int) -> tuple[np.ndarray, np.ndarray | None]:
    return _resampled(np.random.default_rng(seed), prompts, seeds, draws)


def bootstrap_ci(
    arms: list[np.ndarray],
    statistic: Callable[..., np.ndarray],
    rng: np.random.Generator | int,
    level: float = 0.95,
    draws: int = DRAWS,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Interval of a statistic of the arms' mean accuracies.

    Args:
        arms, rng, draws, bounds: see `draw_means`.
        statistic: takes the arms' means, arrays of shape (draws,), and gives an array of shape (draws,).
        level: coverage aimed at.

    Raises:
        ValueError: no data, or prompts or seeds that do not match.

    >>> accuracy = np.array([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    >>> bootstrap_ci([accuracy], lambda mean: mean, np.random.default_rng(0)).value
    0.75
    """
    values = np.asarray(statistic(*draw_means(arms, rng, draws, bounds)))
    value = statistic(*[np.array([np.mean(a)]) for a in arms])[0]
    return interval(float(value), values, level)


def interval(value: float, draws: np.ndarray, level: float = 0.95) -> Estimate:
    """A value with the central interval of its draws."""
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(value, float(low), float(high))


def recovered(arm: np.ndarray, standard: np.ndarray, base: np.ndarray) -> np.ndarray:
    """The share of standard RL's gain that the arm recovers: (arm - base) / (standard - base).

    The gain is taken as at least `SMALLEST_GAIN`: with next to nothing to recover the share has a wide interval.

    >>> recovered(np.array([0.6]), np.array([1.0]), np.array([0.2])).round(2)
    array([0.5])
    """
    return (arm - base) / np.maximum(standard - base, SMALLEST_GAIN)


def decide(estimate: Estimate, threshold: float) -> Verdict:
    """`holds` where the whole interval is above the threshold, `fails` where it is below, else `inconclusive`.

    >>> decide(Estimate(0.9, 0.7, 1.0), 0.5), decide(Estimate(0.1, -0.2, 0.6), 0.5)
    ('holds', 'inconclusive')
    """
    if estimate.low > threshold:
        return "holds"
    return "fails" if estimate.high < threshold else "inconclusive"


def holm(p_values: list[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down rule (Holm 1979): reject where at most 0.05.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    scaled = np.asarray(p_values, dtype=float)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected.tolist()


def wilson(mean: float, number: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a mean in [0, 1] over `number` prompts (Wilson 1927).

    >>> [round(end, 2) for end in wilson(0.0, 16)]
    [0.0, 0.19]
    """
    centre, scale = mean + z * z / (2 * number), 1 + z * z / number
    half = z * (mean * (1 - mean) / number + z * z / (4 * number * number)) ** 0.5
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
