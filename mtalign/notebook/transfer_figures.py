"""Pictures of outcomes: where votes take off beside the registered threshold, and what became of each claim of the paper."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims.decide import FACTOR, registered
from mtalign.claims.decide_words import family
from mtalign.claims.dose_words import taking_off
from mtalign.claims.paper_verdicts import in_short
from mtalign.claims.take_off import rate
from mtalign.notebook.dose_figures import fitting, nothing

SIGNS = {"holds": ("o", "C0"), "fails": ("X", "C1"), "undecided": ("D", "0.5"), "not tested here": (".", "0.7")}


def transfer(cells: pd.DataFrame, crossings: pd.DataFrame, by: str) -> Figure:
    """The share of majority votes that take off against alignment, beside the registered threshold; a panel for each task or family.

    Points are checkpoints with their exact 95% intervals, hollow where standard RL gains too little for a test. The hatched
    band is what counts as the registered threshold, the grey one the interval of these runs' own.

    Args:
        cells: as `decide.outcomes` or `dials.cells` gives them.
        crossings: as `decide.thresholds` or `dials.crossings` gives them.
        by: their column of the panels.
    """
    cells = cells[cells["arm"] == "majority_vote"] if "arm" in cells else cells
    if cells.empty:
        return nothing()
    names = list(dict.fromkeys(cells[by]))
    across = min(2, len(names))
    down = -(-len(names) // across)
    size = (4.8 * across, 3.6 * down)
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, sharey=True, layout="constrained")
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names, strict=False):
        found = crossings[crossings[by] == name] if len(crossings) else crossings
        _checkpoints(axis, cells[cells[by] == name])
        _thresholds(axis, found)
        said = taking_off(found.iloc[0]) if len(found) else "no checkpoint could be tested"
        axis.set_title(fitting(f"{family(name)}: {said}", 4.8), fontsize=11)
        axis.set(xlabel="alignment (chance-corrected pass@4)", ylabel="share that takes off", ylim=(-0.05, 1.05))
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=across)
    return figure


def _checkpoints(axis, cells: pd.DataFrame) -> None:
    for tested, look in ((True, "C0"), (False, "white")):
        these = cells[cells["testable"].astype(bool) == tested]
        rates = [rate(int(taken), int(runs)) for taken, runs in zip(these["taken"], these["runs"], strict=True)]
        axis.vlines(these["alignment"], [r.low for r in rates], [r.high for r in rates], color="0.6", linewidth=1)
        words = "checkpoints" if tested else "standard RL gains too little"
        axis.plot(
            these["alignment"], [r.value for r in rates], "o", markerfacecolor=look, markeredgecolor="C0", label=words
        )


def _thresholds(axis, found: pd.DataFrame) -> None:
    known = registered()
    axis.axvspan(known / FACTOR, known * FACTOR, facecolor="none", edgecolor="C1", hatch="//", linewidth=0)
    axis.axvline(known, color="C1", linewidth=1.5, label=f"micro study, {known:.2f}, within a factor {FACTOR:g}")
    if len(found) and np.isfinite(found.iloc[0]["x50"]):
        left, right = axis.get_xlim()
        at = found.iloc[0]
        axis.axvspan(max(at["low"], left), min(at["high"], right), color="0.5", alpha=0.3)
        axis.axvline(at["x50"], color="0.3", linestyle="--", linewidth=1.5, label="these runs, with 95% interval")
        axis.set_xlim(left, right)


def paper_claims(table: pd.DataFrame) -> Figure:
    """The paper's claims with what became of each, a column for each kind of model.

    Args:
        table: as `claims.paper_verdicts.table` gives it.
    """
    if table.empty:
        return nothing()
    kinds, names = (list(dict.fromkeys(table[column])) for column in ("models", "claim"))
    words = dict(zip(table["claim"], table["words"], strict=True))
    figure, axis = plt.subplots(figsize=(6.5, 0.5 * len(names) + 1.2), layout="constrained")
    for row in table.itertuples():
        marker, colour = SIGNS[row.outcome]
        place = kinds.index(row.models), names.index(row.claim)
        axis.plot(*place, marker, color=colour, markeredgecolor="black", markersize=10 if marker != "." else 5)
        axis.annotate(
            row.outcome.removesuffix(" here"), place, (10, 0), textcoords="offset points", va="center", fontsize=10
        )
    axis.set_yticks(range(len(names)), [textwrap.fill(f"{name}. {words[name]}", 46) for name in names], fontsize=9)
    axis.set_xticks(range(len(kinds)), [f"{kind} models" for kind in kinds])
    axis.set(xlim=(-0.3, len(kinds) - 0.2), ylim=(len(names) - 0.5, -0.5))
    axis.grid(axis="x", visible=False)
    axis.set_title(fitting(in_short(table), 4.2), fontsize=11)
    return figure
