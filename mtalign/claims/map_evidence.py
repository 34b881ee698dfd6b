"""The numbers that the rules of `map_predictions` looked at, in words: what stands beside an outcome as its reason."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mtalign.claims.between_levels import hits, spreads
from mtalign.claims.dose_words import ends
from mtalign.claims.level_words import called, times
from mtalign.claims.levels import CENTRE, MEASURE

AXIS = "share of untrained completions that work"
NOTHING = "its runs have not finished"


def thresholds(*levels: str) -> Callable[[pd.DataFrame], str]:
    """x50 of these levels with their intervals; the centre's at the RL seeds of the first.

    >>> known = pd.DataFrame({"x50": [0.1], "low": [0.08], "high": [0.2]}, index=["centre"])
    >>> thresholds("centre")(known), thresholds("group=4", "centre")(known)
    ('x50 on the share of untrained completions that work: the centre 0.10 [0.08, 0.20]', 'its runs have not finished')
    """

    def shown(found: pd.DataFrame) -> str:
        if not set(levels) <= set(found.index):
            return NOTHING
        said = [f"{called(level)} {ends(*beside(found, level, levels[0]))}" for level in levels]
        by = (
            found.loc[levels[0], ["ratio", "ratio_low", "ratio_high"]] if len(levels) > 1 and "ratio" in found else None
        )
        ratio = f"; the first is {times(*by)} the other" if by is not None and by.notna().all() else ""
        return f"x50 on the {AXIS}: {', '.join(said)}{ratio}"

    return shown


def beside(found: pd.DataFrame, level: str, other: str) -> tuple[float, float, float]:
    """x50, low and high of a level; of the reference, where it is not the other level, those at the other's RL seeds."""
    if level != other and "reference_x50" in found:
        return tuple(float(found.loc[other, f"reference_{name}"]) for name in ("x50", "low", "high"))
    return tuple(float(found.loc[level, name]) for name in ("x50", "low", "high"))


def gains(table: pd.DataFrame) -> str:
    these = table[(table["level"] == CENTRE) & (table["dose"] >= 0.04)]
    return NOTHING if these.empty else f"the smallest gain is {these['gain'].min():.2f} of {len(these)}"


def told_right(*levels: str) -> Callable[[pd.DataFrame], str]:
    """How many runs the theory and a threshold on pass@4 tell right, beside saying "no take-off" of all."""

    def shown(table: pd.DataFrame) -> str:
        found = hits(table[table["level"].isin(levels)] if levels else table)
        if found.empty:
            return NOTHING
        told = _told(found.set_index("level").mean())
        own = found[found["own"]]
        alone = f"; over the {len(own)} whose base models no other level has {_told(own.set_index('level').mean())}"
        return (
            f"in the mean over {len(found)} levels {told}{alone * (0 < len(own) < len(found))}"
            if len(found) > 1
            else told
        )

    return shown


def _told(mean: pd.Series) -> str:
    measured = f", a threshold on pass@4 {mean[MEASURE]:.3f}" if mean.notna()[MEASURE] else ""
    return f"the theory tells a share of {mean['theory']:.3f} of runs right{measured}, saying of none that it takes off {mean['never']:.3f}"


def seeds(table: pd.DataFrame) -> str:
    found = spreads(table[table["level"] == CENTRE])
    return f"standard deviation of the share: RL seeds {found['seeds']:.2f}, checkpoints {found['checkpoints']:.2f}"


def negatives(least: float) -> Callable[[pd.DataFrame], str]:
    """How many runs from a dose on take off, and their mean share."""

    def shown(cells: pd.DataFrame) -> str:
        these = cells[(cells["level"] == "right=0.7") & cells["testable"] & (cells["dose"] >= least)]
        if these.empty:
            return NOTHING
        shares = these["shares"].explode().astype(float)
        return f"{int(these['taken'].sum())} of {int(these['runs'].sum())} runs take off, the mean share is {shares.mean():.2f}"

    return shown


def clip_fraction(runs: pd.DataFrame) -> str:
    own = runs.loc[runs["arm"] == "random_clipped", "clip_fraction"]
    return f"the clip fraction is {own.min():.2f} to {own.max():.2f}, between 0.05 and 0.2 in {own.between(0.05, 0.2).mean():.0%} of runs"


def changes(runs: pd.DataFrame) -> str:
    """How accuracy changed with each reward, dose by dose."""
    names = {
        "random_clipped": "random",
        "shuffled_clipped": "shuffled majority",
        "majority_clipped": "the majority itself",
    }
    means = runs.groupby(["dose", "arm"])["change"].mean()
    said = [
        f"at dose {dose:g} " + ", ".join(f"{names[arm]} {value:+.3f}" for arm, value in these.droplevel(0).items())
        for dose, these in means[means.index.isin(names, level="arm")].groupby(level="dose")
    ]
    return f"accuracy changes {'; '.join(said)}"


def one_example(runs: pd.DataFrame) -> str:
    """Shares, and what became of the reward's signal."""
    means = runs.groupby(["level", "dose", "rank"], sort=False)["share"].mean()
    beside = runs["level"].nunique() > 1
    shares = ", ".join(
        f"{rank} at dose {dose:g}{f', {called(level)},' * beside} {share:.2f}"
        for (level, dose, rank), share in means.items()
    )
    told = f"mean shares: {shares}"
    if "accuracy" in runs:
        told += f"; runs end at an accuracy of {runs['accuracy'].min():.2f} to {runs['accuracy'].max():.2f} (guessing: {runs['chance'].iloc[0]:.2f}); {runs['signal'].mean():.1%} of the groups had rewards that differ"
    return told
