"""Paired arms and audit: what released code computes where it differs from the definition, written here from its behaviour.

No code is copied. "Released" is the public release of the studied paper (hkust-nlp/model-task-align-rl d337693) and, for
votes, of TTRL (PRIME-RL/TTRL 3e2cc93). A difference means that a result cannot be reproduced from the release, not that
a paper is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from mtalign.advantages import grpo
from mtalign.grading.answers import text_of
from mtalign.rewards import random

if TYPE_CHECKING:
    from torch import Tensor

ONE_LINE = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>$")  # without DOTALL: no newline inside a tag
FIRST_ANSWER = re.compile(r"<answer>(.*?)</answer>")  # the first one, on one line
TEXT_LIMIT = 20_000  # characters that are looked at


def format_one_line(prompts=None, completions=(), **_) -> list[float]:
    """The release's format: 1 where thinking and answer are each on one line, else 0.

    >>> format_one_line(completions=["<think>a b</think><answer>1</answer>", "<think>a\\nb</think><answer>1</answer>"])
    [1.0, 0.0]
    """
    return [float(ONE_LINE.match(text_of(c)[:TEXT_LIMIT]) is not None) for c in completions]


def random_gated(prompts, completions, **columns) -> list[float]:
    """The release's "random": a coin times the one-line format, so a noisy reward *for* the format.

    >>> random_gated(["p"] * 8, ["<answer>1</answer>"] * 8)
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    coins = random(prompts, completions, **columns)
    return [c * f for c, f in zip(coins, format_one_line(completions=completions), strict=True)]


def incorrect_released(prompts=None, completions=(), *, answer, **_) -> list[float]:
    """The release's "incorrect" for mathematics: its second definition is not flipped, so it rewards the truth.

    Compares the first answer as raw text, times the one-line format.

    >>> incorrect_released(completions=["<think>a</think><answer>42</answer>"], answer=["42"])
    [1.0]
    """
    found = [FIRST_ANSWER.search(text_of(c)[:TEXT_LIMIT]) for c in completions]
    right = [m is not None and m[1] == a for m, a in zip(found, answer, strict=True)]
    return [float(r) * f for r, f in zip(right, format_one_line(completions=completions), strict=True)]


def majority_released(answers: list[str]) -> str:
    """TTRL's label of a group: the empty answer votes too, and a tie goes to the first seen.

    >>> majority_released(["", "", "2"])
    ''
    """
    return Counter(answers).most_common(1)[0][0]


def nsr_released(rewards: Tensor) -> Tensor:
    """The release's NSR: group-normalised advantages, kept on wrong completions only.

    Its push on wrong completions is -sqrt(p / (1 - p)), Bessel aside, where p of the group are right: nothing at all
    where the whole group is wrong, and most where almost all are right. The definition is -1 throughout.

    >>> import torch
    >>> nsr_released(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).round(decimals=2)
    tensor([[ 0.0000,  0.0000],
            [ 0.0000, -0.7100]])
    """
    return grpo(rewards) * (rewards < 1) + 0.0


def psr_released(rewards: Tensor) -> Tensor:
    """The release's PSR: group-normalised advantages, kept on right completions only.

    >>> import torch
    >>> psr_released(torch.tensor([[1.0, 1.0], [1.0, 0.0]])).round(decimals=2)
    tensor([[0.0000, 0.0000],
            [0.7100, 0.0000]])
    """
    return grpo(rewards) * (rewards > 0) + 0.0


def refill(surviving: list[int], groups: int) -> list[int]:
    """The groups that a batch of `groups` holds after the release's filter: the surviving ones, over and over.

    >>> refill([1, 3], groups=5)
    [1, 3, 1, 3, 1]
    """
    return [surviving[i % len(surviving)] for i in range(groups)]


def copies_after_filter(prompts: int, surviving: int) -> int:
    """How often the release trains on each surviving trajectory: groups without spread are dropped, and the batch is
    refilled by copies. How many survive depends on the pass rate, so on alignment itself.

    >>> [copies_after_filter(128, survivors) for survivors in (128, 64, 16, 4, 1)]
    [1, 2, 8, 32, 128]
    """
    if not 1 <= surviving <= prompts:
        raise ValueError(f"surviving: expected 1 to {prompts}, got {surviving}")
    return refill(list(range(surviving)), prompts).count(0)


REWARDS: dict[str, Callable[..., list]] = {
    "random_gated": random_gated,
    "incorrect_released": incorrect_released,
    "format_one_line": format_one_line,
}
OBJECTIVES: dict[str, Callable[[Tensor], Tensor]] = {"nsr_released": nsr_released, "psr_released": psr_released}
