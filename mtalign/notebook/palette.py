"""One name, one colour, one marker and one dash for each arm and verdict, the same in all pictures, tables and pages."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import seaborn as sns

from mtalign.config.labels import LABELS, label  # noqa: F401 (pictures and pages find names and looks here)

_BLUE, _ORANGE, _GREEN, _RED, _PURPLE, _BROWN, _PINK, _GREY, _YELLOW, _SKY = sns.color_palette("colorblind", 10)

PALETTE = {
    "base": _GREY, "standard": _BLUE, "random": _ORANGE, "majority_vote": _GREEN, "one_shot": _PURPLE, "nsr": _RED,
    "format_only": _BROWN, "entropy": _SKY, "k_shot": _PINK, "incorrect": _YELLOW, "inverted": (0.45, 0.45, 0.1),
    "psr": (0.1, 0.4, 0.4), "w_reinforce": (0.45, 0.05, 0.25),
    "nsr_released": (0.95, 0.65, 0.5), "psr_released": (0.5, 0.7, 0.7), "random_gated": (0.98, 0.82, 0.5),
    "incorrect_released": (0.7, 0.6, 0.1), "format_one_line": (0.85, 0.65, 0.5), "standard_refill": (0.45, 0.65, 0.9),
    "entropy_token": (0.2, 0.55, 0.8), "entropy_sequence": (0.1, 0.35, 0.55), "entropy_direct": (0.65, 0.85, 0.95),
    "test_time": (0.0, 0.45, 0.25), "greedy": (0.35, 0.35, 0.35), "maj@16": (0.5, 0.5, 0.5),
    "temperature_0.3": (0.65, 0.65, 0.65), "temperature_0.5": (0.75, 0.75, 0.75), "temperature_0.7": (0.85, 0.85, 0.85),
    "standard_wrong_majority": (0.3, 0.4, 0.55),
}  # fmt: skip


MARKERS = "osD^vP*X<>ph8d"  # of arms in the order of `LABELS`, then those of a grid's own: with the dashes no two of 70 are alike in grey
DASHES = ["", (5, 1.5), (1.5, 1.2), (6, 1.5, 1.5, 1.5), (3, 1, 1, 1, 1, 1)]
OWN = [  # colours of a grid's own arms, dark and light in turn
    colour
    for both in zip(sns.husl_palette(7, l=0.35), sns.husl_palette(7, h=0.08, l=0.7), strict=True)
    for colour in both
]
CALLED = {"inconclusive": "undecided", "not testable": "not applicable"}  # by readers
CURVES = {  # columns of learning curves, as pictures name them
    "thinking": "completions that show working",
    "majority_right": "groups whose majority is right",
    "frac_reward_zero_std": "groups with equal rewards",
    "clip_fraction": "tokens that were clipped",
}
VERDICTS = {"holds": "o", "fails": "X", "inconclusive": "D", "not testable": "."}  # markers


_own: list[str] = []  # the grid's own arms, in their order


def know(arms: Iterable[str]) -> None:
    """From now on the grid's own arms are these: each has one colour, marker and dash in all pictures, whatever else is in them.

    Args:
        arms: in the order of the grid file (`Grid.own_arms`).
    """
    _own[:] = [arm for arm in arms if arm not in LABELS]


def _place(arm: str) -> int:
    """The place of an arm among all; one that nobody has named gets the next."""
    if arm in LABELS:
        return list(LABELS).index(arm)
    if arm not in _own:
        _own.append(arm)
    return len(LABELS) + _own.index(arm)


def style(arm: str) -> tuple[str, tuple | str]:
    """The marker and the dash of an arm, by which it is told from the others without colour.

    >>> style("standard"), style("base")
    (('s', (5, 1.5)), ('o', ''))
    """
    return MARKERS[_place(arm) % len(MARKERS)], DASHES[_place(arm) % len(DASHES)]


def colour(arm: str) -> tuple[float, float, float]:
    """The colour of an arm, in all pictures."""
    return PALETTE[arm] if arm in PALETTE else OWN[(_place(arm) - len(LABELS)) % len(OWN)]


def task_colours(table: pd.DataFrame) -> dict:
    tasks = list(table["task"].unique())
    return dict(zip(tasks, sns.color_palette("colorblind", len(tasks)), strict=True))


def palette(table: pd.DataFrame) -> dict:
    """The colours of the table's arms."""
    return {arm: colour(arm) for arm in table["arm"].unique()}
