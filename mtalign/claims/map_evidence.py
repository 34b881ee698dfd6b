"""The numbers that the rules of `map_predictions` looked at, in words: what stands beside an outcome as its reason."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mtalign.claims.between_levels import hits, spreads
from mtalign.claims.dose_words import kind_of
from mtalign.claims.level_words import called
from mtalign.claims.levels import MEASURE

AXIS = "share of untrained completions that work"


def thresholds(*levels: str) -> Callable[[pd.DataFrame], str]:
    """x50 of these levels with their intervals.

    >>> ends = pd.DataFrame({"x50": [0.1], "low": [0.08], "high": [0.2]}, index=["centre"])
    >>> thresholds("centre", "group=4")(ends)
    'x50 on the share of untrained completions that work: the centre 0.10 [0.08, 0.20], 4 completions of each prompt not finished'
    """

    def shown(found: pd.DataFrame) -> str:
        return f"x50 on the {AXIS}: " + ", ".join(f"{called(level)} {_x50(found, level)}" for level in levels)

    return shown


def _x50(found: pd.DataFrame, level: str) -> str:
    if level not in found.index or pd.isna(found.loc[level, "x50"]):
        return "not finished"
    x50, low, high = found.loc[level, ["x50", "low", "high"]]
    kind = kind_of(x50, low, high)
    if kind == "from":
        return f"{x50:.2f} [{low:.2f}, {high:.2f}]"
    above = "above all that were measured" if x50 == float("inf") else f"{x50:.2f}"
    return f"{above}, at least {low:.2f}" if kind == "hardly" else above if kind == "nowhere" else "not settled"


def gains(table: pd.DataFrame) -> str:
    these = table[(table["level"] == "centre") & (table["dose"] >= 0.04)]
    return f"the smallest gain is {these['gain'].min():.2f} of {len(these)}"


def told_right(*levels: str) -> Callable[[pd.DataFrame], str]:
    """How many runs the theory and a threshold on pass@4 tell right, beside saying "no take-off" of all."""

    def shown(table: pd.DataFrame) -> str:
        found = hits(table[table["level"].isin(levels)] if levels else table)
        mean = found[["theory", MEASURE, "never"]].mean()
        return f"the theory tells {mean['theory']:.2f} of the runs right, a threshold on pass@4 {mean[MEASURE]:.2f}, saying of none that it takes off {mean['never']:.2f}"

    return shown


def seeds(table: pd.DataFrame) -> str:
    found = spreads(table[table["level"] == "centre"])
    return f"standard deviation of the share: RL seeds {found['seeds']:.2f}, checkpoints {found['checkpoints']:.2f}"


def negatives(cells: pd.DataFrame) -> str:
    these = cells[(cells["level"] == "right=0.7") & cells["testable"]]
    shares = these["shares"].explode().astype(float)
    return f"{int(these['taken'].sum())} of {int(these['runs'].sum())} runs take off, the mean share is {shares.mean():.2f}"


def clipped(runs: pd.DataFrame) -> str:
    """Clip fractions, and how accuracy changed with each reward."""
    random = runs[runs["arm"] == "random_clipped"]
    means = runs.groupby("arm")["change"].mean()
    names = {
        "random_clipped": "random",
        "shuffled_clipped": "shuffled majority",
        "majority_clipped": "the majority itself",
    }
    said = ", ".join(f"{name} {means[arm]:+.2f}" for arm, name in names.items() if arm in means)
    return f"clip fraction {random['clip_fraction'].min():.2f} to {random['clip_fraction'].max():.2f}; mean change of accuracy: {said}"


def one_example(runs: pd.DataFrame) -> str:
    """Shares, and what became of the reward's signal."""
    shares = ", ".join(f"{dose:g}: {share:.2f}" for dose, share in runs.groupby("dose")["share"].mean().items())
    return (
        f"mean share by dose {shares}; runs end at an accuracy of {runs['accuracy'].min():.2f} to {runs['accuracy'].max():.2f}"
        f" (guessing: {runs['chance'].iloc[0]:.2f}); {runs['signal'].mean():.1%} of the groups had rewards that differ"
    )
