"""Arms: names for (reward, subset, objective) triples, and what each of the three can be."""

from __future__ import annotations

import typing

# An arm is a name for a (reward, subset, objective) triple and its own settings.
ARMS: dict[str, dict] = {
    "base": {"max_steps": 0},  # before RL: evaluated, not trained
    "standard": {},  # RL with verifiable rewards, GRPO
    "random": {"reward": "random"},
    "incorrect": {"reward": "incorrect"},
    "inverted": {"reward": "inverted"},
    "format_only": {"reward": "format_only"},
    "majority_vote": {"reward": "majority_vote"},
    "shuffled_majority": {"reward": "shuffled_majority"},  # control: its rewards, given to others of the group
    "entropy": {"reward": "entropy"},  # mean log-probability of the sampled tokens, as the studied paper has it
    "entropy_token": {"reward": "entropy_token"},  # minus the mean entropy
    "entropy_sequence": {"reward": "entropy_sequence"},  # log-probability of the whole completion
    "entropy_direct": {"reward": "constant", "entropy_coef": -1.0},  # no reward: the entropy is the loss
    "one_shot": {"subset": "one_shot"},
    "k_shot": {"subset": "k_shot", "k": 4},
    "nsr": {"objective": "nsr"},
    "psr": {"objective": "psr"},
    "w_reinforce": {"objective": "w_reinforce"},
    # as the studied paper's release has them: see released.py
    "nsr_released": {"objective": "nsr_released"},
    "psr_released": {"objective": "psr_released"},
    "random_gated": {"reward": "random_gated"},
    "incorrect_released": {"reward": "incorrect_released"},
    "format_one_line": {"reward": "format_one_line"},
    "standard_refill": {"refill": "copies"},
}

Reward = typing.Literal[
    "ground_truth", "random", "incorrect", "inverted", "format_only", "majority_vote", "shuffled_majority", "entropy",
    "entropy_token", "entropy_sequence", "constant", "random_gated", "incorrect_released", "format_one_line",
]  # fmt: skip
Subset = typing.Literal["full", "one_shot", "k_shot"]
Objective = typing.Literal["grpo", "nsr", "psr", "w_reinforce", "nsr_released", "psr_released"]
Refill = typing.Literal["none", "copies"]
Style = typing.Literal["think", "direct", "bare"]
Rank = typing.Literal["best", "median", "worst"]
Schedule = typing.Literal["constant", "constant_with_warmup", "cosine", "linear"]
Loss = typing.Literal["dapo", "grpo", "bnpo", "dr_grpo"]  # how token losses are averaged, as trl calls it
Rollouts = typing.Literal["transformers", "vllm"]
