"""Pictures over alignment: what each arm recovers, how often runs take off, what standard RL gains."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.dose_words import in_words
from mtalign.claims.verdicts import THRESHOLD
from mtalign.notebook.palette import label, task_colours


def dose_response(table: pd.DataFrame, measure: str, flips: pd.DataFrame | None = None) -> Figure:
    """The share of standard RL's gain that each arm recovers against a measure of alignment, a panel for each arm.

    Args:
        table: as `dose_response.shares` gives it.
        measure: its column on the horizontal axis.
        flips: as `dose_response.flips` gives it: the band where the claim turns from fails to holds.
    """
    if table.empty:
        return nothing()
    arms = list(table["arm"].unique())
    across = min(2, len(arms))
    rows = -(-len(arms) // across)
    figure, axes = plt.subplots(
        rows, across, figsize=(5 * across, 3.4 * rows), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    colours, markers = task_colours(table), "osDP*X"
    tasks, outside = list(colours), []
    for axis in axes.flat[len(arms) :]:
        axis.set_axis_off()
    for axis, arm in zip(axes.flat, arms, strict=False):
        for row in table[table["arm"] == arm].to_dict("records"):
            estimate, colour = row["recovered"], colours[row["task"]]
            low, high = np.clip([estimate.low, estimate.high], *SHOWN)
            axis.plot([row[measure]] * 2, [low, high], color=colour, alpha=0.6)
            outside += beyond(axis, row[measure], estimate.value, markers[tasks.index(row["task"]) % 6], colour)
            for marker, end, out in (
                ("v", SHOWN[0], estimate.low < SHOWN[0]),
                ("^", SHOWN[1], estimate.high > SHOWN[1]),
            ):
                if out:  # it goes on outside
                    axis.plot(row[measure], end, marker, color=colour, markersize=4, clip_on=False)
        axis.axhline(THRESHOLD, color="black", linestyle="--", linewidth=1)
        axis.set(ylim=(-1.05, 1.55), xlabel=measure, ylabel="share recovered")
        found = "" if flips is None else f" {in_words(flips[flips['arm'] == arm].iloc[0])}"
        axis.set_title(fitting(f"{label(arm)}{found}", 4.5), fontsize=11)
        axis.label_outer()
        if flips is not None:
            flip = flips[flips["arm"] == arm].iloc[0]
            if np.isfinite(flip["flip"]):
                low, high = max(flip["low"], table[measure].min()), min(flip["high"], table[measure].max())
                axis.axvspan(low, high, color="0.5", alpha=0.2)
                axis.axvline(flip["flip"], color="0.3", linewidth=1)
    handles = [
        plt.Line2D([], [], marker=markers[i % 6], color=colours[t], linestyle="", label=t) for i, t in enumerate(tasks)
    ] + note(outside)
    figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)))
    return figure


def beyond(axis, x: float, share: float, marker: str, colour) -> list[float]:
    """Draws a share at its place, or an arrow at the edge where it lies beyond it or was cut; returns those that lie outside."""
    if SHOWN[0] < share < SHOWN[1]:
        axis.plot(x, share, marker, color=colour)
        return []
    up = bool(share >= SHOWN[1])
    look = {"color": colour, "markeredgecolor": "black", "markersize": 9, "clip_on": False, "zorder": 5}
    axis.plot(x, SHOWN[up], "^" if up else "v", **look)
    return [share]


def note(outside: list[float], arrow: str = "^") -> list[plt.Line2D]:
    """The line of a legend that says what arrows at an edge are, where there are some."""
    if not outside:
        return []
    words = f"outside the picture: {', '.join(f'{share:.2f}' for share in sorted(outside))}"
    if len(outside) > 3:
        words = f"{len(outside)} outside the picture, from {min(outside):.2f} to {max(outside):.2f}"
    if set(SHOWN) & set(outside):  # a table had cut them
        words = f"{len(outside)} outside the picture"
    look = {"marker": arrow, "color": "0.6", "markeredgecolor": "black", "markersize": 9}
    return [plt.Line2D([], [], linestyle="", label=words, **look)]


def gain_against(table: pd.DataFrame, measure: str) -> Figure:
    """The gain in accuracy of one arm against a prediction of it, with the diagonal on which both are equal."""
    if table.empty:
        return nothing()
    figure, axis = plt.subplots(figsize=(5, 4), layout="constrained")
    sns.scatterplot(table, x=measure, y="gain", hue="task", style="task", palette="colorblind", s=60, ax=axis)
    ends = [min(table[measure].min(), table["gain"].min(), 0), max(table[measure].max(), table["gain"].max())]
    axis.plot(ends, ends, color="0.3", linestyle="--", linewidth=1)
    away = float((table["gain"] - table[measure]).abs().mean())
    axis.set(xlabel=f"{measure} of the untrained model", ylabel="gain in accuracy")
    axis.set_title(f"gains lie {away:.2f} from the diagonal in the mean", fontsize=11)
    return figure


def nothing() -> Figure:
    figure, axis = plt.subplots(figsize=(4.5, 1.2), layout="constrained")
    axis.annotate("no finished runs", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    axis.set_axis_off()
    return figure


def fitting(title: str, wide: float) -> str:
    """A title broken so that it is not wider than its panel, in inches."""
    return textwrap.fill(title, max(24, int(10 * wide)))
