"""Objectives: rewards of shape (groups, G) -> advantages of the same shape.

A reward of NaN (a completion that could not be scored) has advantage 0. Rows with advantage 0 under `nsr` and `psr`
are those that the original drops from the loss (training counts only the others as tokens).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-4  # added to the standard deviation, as trl does
DROPS_ROWS = ("nsr", "psr")  # by definition the other rows are no part of the loss; released code keeps them


def grpo(rewards: Tensor) -> Tensor:
    """(r - mean) / (std + 1e-4) within the group, std with Bessel's correction.

    GRPO, Shao et al. 2024 (arXiv 2402.03300, section 4.1.2). A group without spread has advantage 0.

    >>> import torch
    >>> grpo(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).round(decimals=2)
    tensor([[ 0.7100, -0.7100],
            [ 0.0000,  0.0000]])
    """
    centred = rewards - rewards.nanmean(dim=1, keepdim=True)  # (groups, G)
    scored = (~rewards.isnan()).sum(dim=1, keepdim=True)
    variance = (centred**2).nansum(dim=1, keepdim=True) / (scored - 1).clamp(min=1)
    return (centred / (variance.sqrt() + EPSILON)).nan_to_num(0.0)


def nsr(rewards: Tensor) -> Tensor:
    """-1 on wrong completions, 0 on right ones: negative sample reinforcement.

    Zhu et al. 2025, "The Surprising Effectiveness of Negative Reinforcement in LLM Reasoning" (arXiv 2506.01347,
    section 3.1). No group baseline, no division by a standard deviation.

    >>> import torch
    >>> nsr(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([[ 0., -1., -1.]])
    """
    return 0.0 - (rewards < 1).to(rewards.dtype)  # NaN < 1 is false


def psr(rewards: Tensor) -> Tensor:
    """1 on right completions, 0 on wrong ones: positive sample reinforcement (arXiv 2506.01347, 3.1).

    >>> import torch
    >>> psr(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([[1., 0., 0.]])
    """
    return (rewards >= 1).to(rewards.dtype)


def w_reinforce(rewards: Tensor) -> Tensor:
    """0.1 on right completions, -1 on wrong ones: weighted REINFORCE, lambda = 0.1 (arXiv 2506.01347, section 5).

    >>> import torch
    >>> w_reinforce(torch.tensor([[1.0, 0.0]]))
    tensor([[ 0.1000, -1.0000]])
    """
    return 0.1 * psr(rewards) + nsr(rewards)


OBJECTIVES: dict[str, Callable[[Tensor], Tensor]] = {"grpo": grpo, "nsr": nsr, "psr": psr, "w_reinforce": w_reinforce}
