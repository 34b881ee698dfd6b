"""One name, one colour, one marker and one dash for each arm and verdict, the same in all pictures, tables and pages."""

from __future__ import annotations

import pandas as pd
import seaborn as sns

_BLUE, _ORANGE, _GREEN, _RED, _PURPLE, _BROWN, _PINK, _GREY, _YELLOW, _SKY = sns.color_palette("colorblind", 10)

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
}


PALETTE = {
    "base": _GREY, "standard": _BLUE, "random": _ORANGE, "majority_vote": _GREEN, "one_shot": _PURPLE, "nsr": _RED,
    "format_only": _BROWN, "entropy": _SKY, "k_shot": _PINK, "incorrect": _YELLOW, "inverted": (0.45, 0.45, 0.1),
    "psr": (0.1, 0.4, 0.4), "w_reinforce": (0.45, 0.05, 0.25),
    "nsr_released": (0.95, 0.65, 0.5), "psr_released": (0.5, 0.7, 0.7), "random_gated": (0.98, 0.82, 0.5),
    "incorrect_released": (0.7, 0.6, 0.1), "format_one_line": (0.85, 0.65, 0.5), "standard_refill": (0.45, 0.65, 0.9),
    "entropy_token": (0.2, 0.55, 0.8), "entropy_sequence": (0.1, 0.35, 0.55), "entropy_direct": (0.65, 0.85, 0.95),
    "test_time": (0.0, 0.45, 0.25), "greedy": (0.35, 0.35, 0.35), "maj@16": (0.5, 0.5, 0.5),
    "temperature_0.3": (0.65, 0.65, 0.65), "temperature_0.5": (0.75, 0.75, 0.75), "temperature_0.7": (0.85, 0.85, 0.85),
}  # fmt: skip


MARKERS = "osD^vP*X<>ph8d"  # of arms in the order of `LABELS`, and again: with the dashes no two arms are alike in grey
DASHES = ["", (5, 1.5), (1.5, 1.2), (6, 1.5, 1.5, 1.5), (3, 1, 1, 1, 1, 1)]
CALLED = {"inconclusive": "undecided", "not testable": "not applicable"}  # by readers
VERDICTS = {"holds": "o", "fails": "X", "inconclusive": "D", "not testable": "."}  # markers


def label(arm: str) -> str:
    """What readers call the arm; a variant of a known arm is called after it.

    >>> label("base"), label("my_arm"), label("one_shot_median"), label("random_on_policy")
    ('before RL', 'my arm', 'one example, median', 'random reward, on policy')
    """
    if arm in LABELS:
        return LABELS[arm]
    stems = [name for name in LABELS if arm.startswith(f"{name}_")]
    if not stems:
        return arm.replace("_", " ")
    stem = max(stems, key=len)
    return f"{LABELS[stem]}, {arm.removeprefix(stem + '_').replace('_', ' ')}"


def style(arm: str, arms: list[str]) -> tuple[str, tuple | str]:
    """The marker and the dash of an arm, by which it is told from the others without colour.

    Args:
        arms: all arms of the picture; those of one's own get what is left, in their order.

    >>> style("standard", ["standard"])[0], style("mine", ["standard", "mine"])[0]
    ('s', 'o')
    """
    known = list(LABELS)
    own = [name for name in arms if name not in LABELS]
    place = known.index(arm) if arm in LABELS else len(known) + own.index(arm)
    if arm not in LABELS:
        taken = {style(name, arms)[0] for name in arms if name in LABELS}
        free = [marker for marker in MARKERS if marker not in taken] or list(MARKERS)
        return free[own.index(arm) % len(free)], DASHES[place % len(DASHES)]
    return MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)]


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
