"""What is claimed of each arm, and what was predicted: a table that `mtalign list claims` reads without numpy and pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtalign.stats import Verdict


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
