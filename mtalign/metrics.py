"""Alignment metrics on samples: arrays of shape (P, N), P prompts and N samples each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pass_at_k(correct: ArrayLike, k: int) -> NDArray[np.float64]:
    """Probability, per prompt, that at least one of k samples is right.

    The unbiased estimator 1 - C(N - c, k) / C(N, k) of Chen et al. 2021 (arXiv 2107.03374, equation 1), where c of N
    samples are right; it equals the mean over all subsets of k samples.

    Args:
        correct: (P, N), true where a sample is right.
        k: samples allowed, 1 <= k <= N.

    Returns:
        (P,) values in [0, 1]; their mean is the pass@k of the task.

    Raises:
        ValueError: there are no samples, or k is out of range.

    >>> pass_at_k([[True, False, False, False], [False] * 4], k=2)
    array([0.5, 0. ])
    """
    correct = np.asarray(correct, dtype=bool)
    if correct.ndim != 2 or correct.size == 0:
        raise ValueError(f"correct: expected shape (P, N) with samples, got {correct.shape}")
    return pass_at_k_counts(correct.sum(axis=1), correct.shape[1], k)


def pass_at_k_counts(correct: ArrayLike, num_samples: int, k: int) -> NDArray[np.float64]:
    """`pass_at_k` from the number of right samples per prompt, shape (P,).

    >>> pass_at_k_counts([1, 0], num_samples=4, k=2)
    array([0.5, 0. ])
    """
    right = np.asarray(correct)  # (P,)
    if right.size == 0:
        raise ValueError("correct: there are no prompts")
    if not 1 <= k <= num_samples:
        raise ValueError(f"k: expected 1 <= k <= {num_samples} samples, got {k}")
    wrong = num_samples - right
    # C(wrong, k) / C(N, k) = prod_{i<k} (wrong - i) / (N - i), zero where wrong < k
    factors = np.clip(wrong[:, None] - np.arange(k), 0, None) / (num_samples - np.arange(k))  # (P, k)
    return 1.0 - factors.prod(axis=1)


def maj_at_k(
    answers: list[list[str | None]], truth: list[str], k: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Probability, per prompt, that the majority of k samples is right.

    k samples are drawn without replacement; samples without an answer (None) do not vote; ties are broken at random;
    no votes at all count as wrong. Where k = N the draw is the whole sample and ties count by their share.

    Args:
        answers: P lists of N answers, equal text meaning equal answers.
        truth: P true answers.
        k: votes, 1 <= k <= N.
        rng: of the draws (200 per prompt where k < N).

    Returns:
        (P,) values in [0, 1]; their mean is the maj@k of the task.

    >>> maj_at_k([["7", "7", "3"], ["1", "2", None]], ["7", "2"], k=3, rng=np.random.default_rng(0))
    array([1. , 0.5])
    """
    if not answers or not answers[0]:
        raise ValueError("answers: there are no samples")
    counts = [{a: row.count(a) for a in dict.fromkeys(row)} for row in answers]
    return maj_at_k_counts(counts, truth, k, rng)


def maj_at_k_counts(
    counts: list[dict[str | None, int]], truth: list, k: int, rng: np.random.Generator, draws: int = 200
) -> NDArray[np.float64]:
    """`maj_at_k` from the number of samples per answer, a dict for each prompt.

    Args:
        truth: for each prompt the true answer, or a set of all that are right.
    """
    result = np.zeros(len(counts))
    for p, (count, right) in enumerate(zip(counts, truth, strict=True)):
        total = sum(count.values())
        if not 1 <= k <= total:
            raise ValueError(f"k: expected 1 <= k <= {total} samples, got {k}")
        sizes = np.array(list(count.values()))
        votes = rng.multivariate_hypergeometric(sizes, k, size=draws) if k < total else sizes[None]  # (draws, answers)
        votes[:, [answer is None for answer in count]] = 0
        top = (votes == votes.max(axis=1, keepdims=True)) & (votes > 0)
        known = right if isinstance(right, set) else {right}
        wins = top[:, [answer in known for answer in count]].sum(axis=1)
        result[p] = (wins / np.maximum(top.sum(axis=1), 1)).mean()
    return result


def chance_corrected(value: ArrayLike, chance: ArrayLike, k: int = 1) -> NDArray[np.float64]:
    """The share of what guessing leaves open that is reached: (value - g) / (1 - g), g the mean of 1 - (1 - chance)^k.

    With ten answers guessing alone reaches pass@32 = 0.97, so raw pass@k says nothing there.

    Args:
        value: accuracies or pass@k, of any shape.
        chance: of one guess, a number or one for each prompt (P,).

    >>> chance_corrected([0.1, 0.55, 1.0], chance=0.1).round(3)
    array([0. , 0.5, 1. ])
    >>> float(chance_corrected(0.75, chance=[0.5, 0.5], k=1))
    0.5
    """
    guessing = np.mean(1 - (1 - np.asarray(chance, dtype=float)) ** k)
    return (np.asarray(value, dtype=float) - guessing) / (1 - guessing)
