"""The picture of labels: the warm-up curve, where label-free RL takes off on it, and what each way costs."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims.labels import KEYS, Needed, expected, in_words
from mtalign.notebook.dose_figures import fitting, nothing

MARKERS = dict(zip(("warm-up alone", "then majority vote", "then RL with true labels"), "osD", strict=True))


def labels(table: pd.DataFrame, found: list[Needed], rates: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """A column for each recipe of warm-up: alignment, P(take-off) and accuracy against labelled examples.

    Above: each warm-up with its interval, the band is x50 and the grey one the labels that reach it. In the middle: the share of
    majority votes that took off with exact intervals, and the line is what alignment lets expect. Below: accuracy of each way
    against all the labels that it used.

    Args:
        table: as `claims.labels.checkpoints` gives it.
        found: as `claims.labels.needed` gives it.
        rates: as `claims.labels.take_off` gives it.
        costs: as `claims.label_costs.costs` gives it.
    """
    if not found:
        return nothing()
    figure, axes = plt.subplots(
        3, len(found), figsize=(5 * len(found), 8.5), squeeze=False, sharex=True, sharey="row", layout="constrained"
    )
    for column, needed in zip(axes.T, found, strict=True):
        own, taken, spent = (_of(needed, frame) for frame in (table, rates, costs))
        _curve(column[0], needed, own)
        _rates(column[1], needed, own, taken)
        for way, marker in MARKERS.items():
            these = spent[spent["way"] == way]
            column[2].plot(these["labels"], these["accuracy"], f"{marker}-", label=way)
        column[2].set(xlabel="labelled examples", ylabel="accuracy", ylim=(0, 1.02), xlim=(-0.5, None))
        column[2].set_xscale("symlog", linthresh=4)
        ticks = sorted({round(n) for n in own["labels"]})
        column[2].set_xticks(ticks, [str(tick) for tick in ticks], fontsize=9)
        column[2].minorticks_off()
        for axis in column:
            axis.label_outer()
    axes[1, 0].legend(fontsize=9)
    axes[2, 0].legend(fontsize=9)
    return figure


def _of(needed: Needed, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of one recipe."""
    return frame[(frame[KEYS] == [getattr(needed, key) for key in KEYS]).all(axis=1)] if len(frame) else frame


def _curve(axis, needed: Needed, own: pd.DataFrame) -> None:
    values = np.array([[e.value, e.low, e.high] for e in own["alignment"]])
    axis.vlines(own["labels"], values[:, 1], values[:, 2], color="0.5", linewidth=1)
    axis.plot(own["labels"], values[:, 0], "o", color="C0", label="_warm-ups")
    axis.axhspan(max(needed.x50.low, -0.1), min(needed.x50.high, 1), color="C1", alpha=0.2)
    axis.axhline(needed.x50.value, color="C1", linewidth=1)
    ends = np.clip([needed.labels.low, needed.labels.high], needed.least, needed.most)
    axis.axvspan(*ends, color="0.5", alpha=0.15)
    said = f"{needed.task.partition('?')[0]}: {in_words(needed.labels, needed.least, needed.most)} labels"
    axis.set_title(fitting(said, 4.5), fontsize=11)
    axis.set(ylabel="alignment before RL", ylim=(min(-0.1, float(values[:, 1].min())), 1.02))


def _rates(axis, needed: Needed, own: pd.DataFrame, taken: pd.DataFrame) -> None:
    line = expected(own, needed.x50)
    axis.plot(line["labels"], line["probability"], "-", color="C1", label="expected from alignment")
    if len(taken):
        ends = np.array([[e.value, e.low, e.high] for e in taken["take_off"]])
        axis.vlines(taken["labels"], ends[:, 1], ends[:, 2], color="C2", linewidth=1)
        axis.plot(taken["labels"], ends[:, 0], "s", color="C2", label="majority votes that took off")
    else:
        axis.annotate("no majority vote has finished", (0.5, 0.08), xycoords="axes fraction", ha="center", fontsize=9)
    axis.axhline(0.5, color="black", linestyle="--", linewidth=1)
    axis.set(ylabel="P(take-off)", ylim=(-0.03, 1.03))
