"""Subsets: which training prompts a run sees. Selection rules rank prompts, best first."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

SUBSETS = ("full", "one_shot", "k_shot", "wrong_majority", "tested")
LEAST_VISITS = 20  # rollouts of a prompt from which on its variance says more than the noise of single rollouts
RANKS = ("best", "median", "worst", "random")


def historical_variance(history: Sequence[Sequence[float]] | Mapping[str, Sequence[float]]) -> list[int]:
    """Indices of the prompts by the spread of their training accuracy, best (largest) first.

    The historical variance score of one-shot RLVR, Wang et al. 2025 (arXiv 2504.20571, section 2, equation 1): the
    variance, over a run of standard RL, of the prompt's mean accuracy (there in each epoch, here in each rollout).
    Ties keep the prompts' order.

    Args:
        history: for each prompt its accuracies in [0, 1], one for each time it was rolled out; a sequence, or a
            mapping from index (as text, where it comes from JSON). Lengths may differ; a prompt seen less than twice
            has no spread and comes last.

    Raises:
        ValueError: there are no prompts.

    >>> historical_variance([[0.5, 0.5], [0.0, 1.0], [], [0.2, 0.4]])
    [1, 3, 0, 2]
    """
    if not history:
        raise ValueError("history: there are no prompts")
    indices, histories = range(len(history)), history
    if isinstance(history, Mapping):
        indices, histories = zip(*sorted((int(i), h) for i, h in history.items()), strict=True)
    spread = np.array([np.std(accuracies) if len(accuracies) > 1 else -1.0 for accuracies in histories])
    return [indices[i] for i in np.argsort(-spread, kind="stable")]


def select(ranking: Sequence[int], k: int, rank: str = "best", seed: int = 0) -> list[int]:
    """k prompts from the best, the middle or the worst of a ranking (best first), or at random by the seed.

    >>> select([7, 3, 5, 1, 2], k=2, rank="best"), select([7, 3, 5, 1, 2], k=1, rank="median")
    ([7, 3], [5])
    """
    if not 1 <= k <= len(ranking):
        raise ValueError(f"k: expected 1 <= k <= {len(ranking)} prompts, got {k}")
    if rank == "random":
        return random.Random(f"subset {seed}").sample(sorted(ranking), k)
    start = {"best": 0, "median": (len(ranking) - k) // 2, "worst": len(ranking) - k}[rank]
    return list(ranking[start : start + k])


def replicate(rows: Sequence[dict], at_least: int) -> list[dict]:
    """Whole copies of the rows until there are at least that many: trl trains 0 steps on fewer rows than a rollout.

    Where there are copies, each row says which it is, so that rewards keep their groups apart.

    >>> replicate([{"a": 1}, {"a": 2}], at_least=3)
    [{'a': 1, 'copy': 0}, {'a': 2, 'copy': 0}, {'a': 1, 'copy': 1}, {'a': 2, 'copy': 1}]
    """
    if not rows:
        raise ValueError("rows: there is nothing to train on")
    copies = -(-at_least // len(rows))
    if copies <= 1:
        return list(rows)
    return [row | {"copy": copy} for copy in range(copies) for row in rows]
