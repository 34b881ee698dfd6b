"""What readers call an arm: one set of words for pages, pictures, tables and sentences. A code name stands in code only."""

from __future__ import annotations

LABELS = {
    "base": "before RL",
    "standard": "standard RL",
    "random": "random reward",
    "incorrect": "incorrect reward",
    "inverted": "inverted reward",
    "format_only": "format reward",
    "majority_vote": "majority vote",
    "test_time": "test-time RL",
    "entropy": "entropy reward",
    "one_shot": "one example",
    "k_shot": "few examples",
    "nsr": "negatives only",
    "psr": "positives only",
    "w_reinforce": "weighted REINFORCE",
    "nsr_released": "negatives only, as released",
    "psr_released": "positives only, as released",
    "random_gated": "random reward, as released",
    "incorrect_released": "incorrect reward, as released",
    "format_one_line": "format reward, as released",
    "standard_refill": "standard RL, refill as released",
    "entropy_token": "entropy reward, each token",
    "entropy_sequence": "entropy reward, whole answer",
    "entropy_direct": "entropy as loss",
    "greedy": "untrained, greedy",
    "maj@16": "untrained, majority of 16",
    "temperature_0.3": "untrained, temperature 0.3",
    "temperature_0.5": "untrained, temperature 0.5",
    "temperature_0.7": "untrained, temperature 0.7",
    "standard_wrong_majority": "standard RL, prompts with a wrong majority",
}


def label(arm: str) -> str:
    """What readers call the arm; a variant of a known arm is called after it.

    >>> label("base"), label("my_arm"), label("one_shot_median"), label("k_shot_16")
    ('before RL', 'my arm', 'one example, median', '16 examples')
    """
    if arm in LABELS:
        return LABELS[arm]
    stems = [name for name in LABELS if arm.startswith(f"{name}_")]
    if not stems:
        return arm.replace("_", " ")
    stem = max(stems, key=len)
    rest = arm.removeprefix(f"{stem}_")
    if stem == "k_shot" and rest.isdecimal():
        return f"{rest} examples"
    return f"{LABELS[stem]}, {rest.replace('_', ' ')}"
