"""Pictures of the map: the threshold of each level, and how often runs take off at each."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims.dose_words import taking_off
from mtalign.claims.level_words import called, in_order
from mtalign.claims.take_off import rate
from mtalign.notebook.dose_figures import fitting, nothing


def take_off(cells: pd.DataFrame, measure: str, crossings: pd.DataFrame) -> Figure:
    """The share of majority votes that take off against a measure of alignment, a panel for each level.

    Args:
        cells: as `levels.cells` gives them; those that are not testable are left out.
        measure: its column on the horizontal axis.
        crossings: as `level_thresholds.crossings` gives them: the band is the interval of x50.
    """
    cells = cells[cells["testable"]] if not cells.empty else cells
    if cells.empty:
        return nothing()
    names = list(cells["level"].unique())
    across = min(3, len(names))
    rows = -(-len(names) // across)
    size = (4 * across, 3 * rows)
    figure, axes = plt.subplots(
        rows, across, figsize=size, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names, strict=False):
        these = cells[cells["level"] == name]
        rates = [rate(int(taken), int(runs)) for taken, runs in zip(these["taken"], these["runs"], strict=True)]
        axis.vlines(these[measure], [r.low for r in rates], [r.high for r in rates], color="0.6", linewidth=1)
        axis.plot(these[measure], [r.value for r in rates], "o", color="C0", label="runs")
        axis.plot(these[measure], these["theory"].clip(0, 1), "x", color="C3", label="theory, cut at 0 and 1")
        at = crossings[crossings["level"] == name].iloc[0]
        if abs(at["x50"]) != float("inf") and at["x50"] == at["x50"]:
            low, high = max(at["low"], cells[measure].min()), min(at["high"], cells[measure].max())
            axis.axvspan(low, high, color="0.5", alpha=0.2)
            axis.axvline(at["x50"], color="0.3", linewidth=1)
        axis.set(xlabel=measure, ylabel="share that takes off", ylim=(-0.05, 1.05))
        axis.set_title(fitting(f"{called(name)}: {taking_off(at)}", 3.6), fontsize=10)
        axis.label_outer()
    axes.flat[0].legend(loc="lower right")
    return figure


def drift(runs: pd.DataFrame) -> Figure:
    """Change of accuracy against how far the weights moved, a panel for each dose: do rewards differ at the same distance?

    Args:
        runs: as `level_runs.drift` gives them.
    """
    if runs.empty:
        return nothing()
    doses = sorted(runs["dose"].unique())
    figure, axes = plt.subplots(
        1, len(doses), figsize=(4 * len(doses), 3), squeeze=False, sharey=True, layout="constrained"
    )
    for axis, dose in zip(axes.flat, doses, strict=True):
        for (arm, these), marker in zip(runs[runs["dose"] == dose].groupby("arm"), "osd^", strict=False):
            axis.plot(these["moved"], these["change"], marker, label=arm.replace("_", " "), alpha=0.7)
        axis.axhline(0, color="0.7", linewidth=1)
        axis.set(title=f"dose {dose:g}", xlabel="change of the weights, as a share of their length")
    axes[0, 0].set_ylabel("change of accuracy")
    axes[0, -1].legend(fontsize=8)
    return figure


def thresholds(crossings: pd.DataFrame, cells: pd.DataFrame, measure: str) -> Figure:
    """x50 of each level with its interval, a row each; the band is the reference's interval at the level's RL seeds.

    Args:
        crossings: as `level_thresholds.crossings` gives them.
        cells: as `levels.cells` gives them: a thin line says which alignments a level measured.
        measure: the column of alignment.
    """
    if crossings.empty:
        return nothing()
    table = in_order(crossings).iloc[::-1].reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(6, 1.9 + 0.4 * len(table)), layout="constrained")
    for place, row in table.iterrows():
        measured = cells.loc[(cells["level"] == row["level"]) & cells["testable"], measure].clip(lower=0)
        axis.hlines(place, measured.min(), measured.max(), color="0.8", linewidth=1)
        low, high = (float(np.clip(row[end], measured.min(), measured.max())) for end in ("low", "high"))
        colour = "C3" if row["apart"] else "C0"
        edges = np.clip([row["reference_low"], row["reference_high"]], 0, cells[measure].max())
        axis.fill_betweenx([place - 0.5, place + 0.5], *edges, color="0.5", alpha=0.2, linewidth=0)
        axis.hlines(place, low, high, color=colour, linewidth=3)
        if np.isfinite(row["x50"]):
            axis.plot(row["x50"], place, "o", color=colour)
        for end, marker, edge in (("low", "<", low), ("high", ">", high)):
            if not np.isfinite(row[end]):
                axis.plot(edge, place, marker, color=colour)
    axis.set_yticks(range(len(table)), [textwrap.fill(called(level), 20) for level in table["level"]], fontsize=9)
    axis.set(xlabel=f"alignment ({measure})", xlim=(0, None))
    figure.suptitle("x50: the alignment at which take-off is half way up", fontsize=11)
    looks = [("C0", "not told apart from the centre"), ("C3", "apart from the centre"), ("0.8", "alignments measured")]
    handles = [plt.Line2D([], [], color=colour, linewidth=3, label=words) for colour, words in looks]
    handles.append(plt.Rectangle((0, 0), 1, 1, color="0.5", alpha=0.2, label="the centre at the same RL seeds"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
    return figure
