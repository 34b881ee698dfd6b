"""One name and one colour for each arm and verdict, the same in all pictures and pages."""

from __future__ import annotations

import pandas as pd
import seaborn as sns

_BLUE, _ORANGE, _GREEN, _RED, _PURPLE, _BROWN, _PINK, _GREY, _YELLOW, _SKY = sns.color_palette("colorblind", 10)

LABELS = {
    "base": "before RL",
    "greedy": "untrained,\ngreedy",
    "maj@16": "untrained,\nmajority of 16",
    "temperature_0.3": "untrained,\ntemperature 0.3",
    "temperature_0.5": "untrained,\ntemperature 0.5",
    "temperature_0.7": "untrained,\ntemperature 0.7",
    "standard": "standard RL",
    "random": "random reward",
    "incorrect": "incorrect reward",
    "inverted": "inverted reward",
    "format_only": "format reward",
    "majority_vote": "majority vote\n(test-time RL)",
    "entropy": "entropy reward",
    "one_shot": "one example",
    "k_shot": "few examples",
    "nsr": "negative\nsamples",
    "psr": "positive\nsamples",
    "w_reinforce": "weighted\nREINFORCE",
    "nsr_released": "negative samples\n(as released)",
    "psr_released": "positive samples\n(as released)",
    "random_gated": "random reward\n(as released)",
    "incorrect_released": "incorrect reward\n(as released)",
    "format_one_line": "format reward\n(as released)",
    "standard_refill": "standard RL, refill\n(as released)",
    "entropy_token": "entropy reward\n(of each token)",
    "entropy_sequence": "entropy reward\n(of the whole)",
    "entropy_direct": "entropy as loss",
}


PALETTE = {
    "greedy": (0.35, 0.35, 0.35), "maj@16": (0.5, 0.5, 0.5),
    "temperature_0.3": (0.65, 0.65, 0.65), "temperature_0.5": (0.75, 0.75, 0.75), "temperature_0.7": (0.85, 0.85, 0.85),
    "base": _GREY, "standard": _BLUE, "random": _ORANGE, "majority_vote": _GREEN, "one_shot": _PURPLE, "nsr": _RED,
    "format_only": _BROWN, "entropy": _SKY, "k_shot": _PINK, "incorrect": _YELLOW, "inverted": (0.45, 0.45, 0.1),
    "psr": (0.1, 0.4, 0.4), "w_reinforce": (0.45, 0.05, 0.25),
    "nsr_released": (0.95, 0.65, 0.5), "psr_released": (0.5, 0.7, 0.7), "random_gated": (0.98, 0.82, 0.5),
    "incorrect_released": (0.7, 0.6, 0.1), "format_one_line": (0.85, 0.65, 0.5), "standard_refill": (0.45, 0.65, 0.9),
    "entropy_token": (0.2, 0.55, 0.8), "entropy_sequence": (0.1, 0.35, 0.55), "entropy_direct": (0.65, 0.85, 0.95),
}  # fmt: skip


VERDICTS = {"holds": "o", "fails": "X", "inconclusive": "D", "not testable": "."}  # markers


def label(arm: str) -> str:
    """What readers call the arm.

    >>> label("base"), label("my_arm")
    ('before RL', 'my arm')
    """
    return LABELS.get(arm, arm.replace("_", " "))


def task_colours(table: pd.DataFrame) -> dict:
    tasks = list(table["task"].unique())
    return dict(zip(tasks, sns.color_palette("colorblind", len(tasks)), strict=True))


def palette(table: pd.DataFrame) -> dict:
    """The colours of the table's arms; arms of one's own get colours that no other arm there has."""
    arms = list(table["arm"].unique())
    own = [arm for arm in arms if arm not in PALETTE]
    taken = {PALETTE[arm] for arm in arms if arm in PALETTE}
    free = [c for c in sns.color_palette("colorblind", 10) if c not in taken]
    free += sns.husl_palette(len(own), s=0.6)  # where the arms have taken the others
    return {arm: PALETTE.get(arm) or free[own.index(arm)] for arm in arms}
