"""Expected advantages in a group of completions whose answers are drawn from given shares: for the mean-field theory.

Exact, by generating functions: the majority's are derived in `mean_field`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from math import factorial

import numpy as np
from scipy.special import factorial as factorials

MORE = 50  # values on a circle beyond the degree that is asked for


def vote_advantages(shares: np.ndarray, number: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one answer of each class, where the majority is rewarded.

    Returns:
        T (..., K), the expected sum of its advantages divided by G, and (..., K, G) the probability that it wins with m votes.

    Args:
        shares: (..., K) probability of each answer of a class; `number @ shares` is 1.
        number: (K,) answers in each class, all of the same probability.
        group: completions G, at most 170 (170! is the largest that a float holds).

    >>> vote_advantages(np.array([0.6, 0.4]), np.array([1, 1]), group=3)[0].round(4)  # 2/sqrt(3) p q (p - q)
    array([ 0.0554, -0.0554])
    """
    shares, number = np.asarray(shares, dtype=float), np.asarray(number, dtype=int)
    total, wins, classes = np.zeros(shares.shape), np.zeros((*shares.shape, group)), range(len(number))
    for m in range(1, group):  # with m = G votes there is no spread
        spread = np.sqrt(m * (group - m) / (group * (group - 1)))
        won, lost = (1 - m / group) / spread, (m / group) / spread
        y, weights, at, counts, unit_terms = _integration(m, group, int(number.sum()))
        powers = shares[..., None] ** counts  # (..., K, m + 1)
        last = y * (powers[..., -1:] * unit_terms[-1])[..., None, :]  # (..., K, Y, X)
        factors = (powers[..., :-1] @ unit_terms[:-1])[..., None, :] + last
        slopes = ((counts * powers)[..., :-1] @ unit_terms[:-1])[..., None, :] + m * last
        but = [
            factors ** np.maximum(number - fewer, 0)[:, None, None] for fewer in (1, 2)
        ]  # of a class, all answers but 1, 2
        but.insert(0, but[0] * factors)
        for winner in classes:
            ways = factorial(group) * shares[..., winner] ** m / factorial(m)
            rest = _product(but[k == winner][..., k, :, :] for k in classes)  # (..., Y, X)
            wins[..., winner, m] = ways * (weights @ rest @ at).real
            total[..., winner] += wins[..., winner, m] * m * won
            for other in classes:  # one answer of this class loses to each of the winner's, but to itself
                winners = number[winner] - (other == winner)
                if number[other] > (other == winner):
                    left = _product(but[(k == winner) + (k == other)][..., k, :, :] for k in classes)
                    total[..., other] -= ways * (weights @ (slopes[..., other, :, :] * left) @ at).real * lost * winners
    return total / group, wins


def _product(factors: Iterable[np.ndarray]) -> np.ndarray:
    return reduce(np.multiply, factors)


@lru_cache(maxsize=1024)  # the theory asks again at every step, for every base model
def _integration(m: int, group: int, answers: int) -> tuple[np.ndarray, ...]:
    """What `vote_advantages` integrates with where the winner has m votes: y (Y, 1) and its weights (Y,), the weights (X,) of values on
    a circle, the counts up to m, (m + 1,), and x to these powers over their factorials, (m + 1, X)."""
    y, weights = np.polynomial.legendre.leggauss((group // m + 1) // 2)  # exact: at most G / m answers tie
    # A coefficient by values on a circle where its term is among the largest. Terms of a degree higher by the number of
    # values are added to it: there are none with more values than degrees; else they are negligible, as the coefficient of
    # x^d is at most 1 / d! (winners' probabilities sum to 1 within 1e-13 in groups of 64).
    points = min(max(answers * m, group), group - m + MORE) + 1
    x = (group - m) * np.exp(2j * np.pi * np.arange(points) / points)  # (X,)
    counts = np.arange(m + 1)
    unit_terms = x ** counts[:, None] / factorials(counts)[:, None]
    return (y[:, None] + 1) / 2, weights / 2, x ** -(group - m) / points, counts, unit_terms


def label_advantages(shares: np.ndarray, number: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """As `vote_advantages`, where the one answer of the first class is rewarded: standard RL.

    >>> label_advantages(np.array([0.5, 0.5]), np.array([1, 1]), group=2)[0].round(4)  # right and wrong, half of the time
    array([ 0.1768, -0.1768])
    """
    shares, m = np.asarray(shares, dtype=float), np.arange(1, group)
    p = shares[..., 0]
    ways = np.array([factorial(group) / factorial(k) / factorial(group - k) for k in m.tolist()])
    wins = np.zeros((*shares.shape, group))
    wins[..., 0, 1:] = ways * p[..., None] ** m * (1 - p[..., None]) ** (group - m)
    gain = (wins[..., 0, 1:] * np.sqrt(m * (group - m) * (group - 1) / group)).sum(axis=-1) / group
    total = -(gain / (1 - p))[..., None] * shares
    total[..., 0] = gain
    return total, wins
