"""Arms: names for (reward, subset, objective) triples, and what each of the three can be."""

from __future__ import annotations

import typing

from mtalign import advantages, released, rewards

REWARDS = rewards.REWARDS | released.REWARDS
OBJECTIVES = advantages.OBJECTIVES | released.OBJECTIVES

# An arm is a name for a (reward, subset, objective) triple and its own settings. A reward or an objective that differs from
# standard RL's is an arm of the same name, so that adding one to its table is enough.
ARMS: dict[str, dict] = {
    "base": {"max_steps": 0},  # before RL: evaluated, not trained
    "temperature_0.3": {"max_steps": 0, "temperature": 0.3},  # the same, asked in another way
    "temperature_0.5": {"max_steps": 0, "temperature": 0.5},
    "temperature_0.7": {"max_steps": 0, "temperature": 0.7},
    "standard": {},  # RL with verifiable rewards, GRPO
    **{name: {"reward": name} for name in rewards.REWARDS if name not in ("ground_truth", "constant")},
    "test_time": {
        "reward": "majority_vote",
        "subset": "tested",
    },  # TTRL: on the tested questions, not on others as above
    "standard_wrong_majority": {"subset": "wrong_majority"},  # standard RL on the prompts that `incorrect` has
    "entropy_direct": {"reward": "constant", "entropy_coef": -1.0},  # no reward: the entropy is the loss
    "one_shot": {"subset": "one_shot"},
    "k_shot": {"subset": "k_shot", "k": 4},
    **{name: {"objective": name} for name in advantages.OBJECTIVES if name != "grpo"},
    **{name: {"objective": name} for name in released.OBJECTIVES},
    **{name: {"reward": name} for name in released.REWARDS},
    "standard_refill": {"refill": "copies"},  # as the release fills a batch again
}

Reward = typing.Literal[*REWARDS]
Objective = typing.Literal[*OBJECTIVES]
Subset = typing.Literal["full", "one_shot", "k_shot", "wrong_majority", "tested"]
Refill = typing.Literal["none", "copies"]
Style = typing.Literal["think", "direct", "bare"]
Rank = typing.Literal["best", "median", "worst", "random"]
Schedule = typing.Literal["constant", "constant_with_warmup", "cosine", "linear"]
Loss = typing.Literal["dapo", "grpo", "bnpo", "dr_grpo"]  # how token losses are averaged, as trl calls it
Rollouts = typing.Literal["transformers", "vllm"]
