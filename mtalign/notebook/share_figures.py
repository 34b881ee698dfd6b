"""The picture of verdicts: which share of standard RL's gain each arm recovers, a row for each pair of a model and a task."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.verdicts import CLAIMS, THRESHOLD
from mtalign.notebook.dose_figures import note, nothing
from mtalign.notebook.palette import CALLED, VERDICTS, label, task_colours


def recovered_shares(table: pd.DataFrame) -> Figure:
    """The share of standard RL's gain that each claim's arm recovers, with interval, and the threshold.

    It is narrow, an arm's name above its rows, so that a phone shows rows and their names together.

    Args:
        table: as `claims.verdicts` gives it, without missing rows.
    """
    if table.empty:
        return nothing()
    ranked = table.sort_values("alignment", ascending=False)
    pairs = list(dict.fromkeys(zip(ranked["model"], ranked["task"], strict=True)))
    names = list(dict.fromkeys(table["claim"]))
    colours, block, outside, rows = task_colours(table), len(pairs) + 2, [], {}
    figure, axis = plt.subplots(figsize=(5, 0.17 * len(names) * block + 1.8), layout="constrained")
    for row in table.itertuples():
        y = names.index(row.claim) * block + pairs.index((row.model, row.task)) + 1
        rows[y] = _where((row.model, row.task), pairs)
        outside += _row(axis, y, row, colours[row.task])
    for i, name in enumerate(names):
        axis.annotate(_arm_of(name), (SHOWN[0], i * block), fontsize=9, fontweight="bold", va="center")
    for verdict, marker in VERDICTS.items():
        axis.plot([], [], marker, color="0.3", linestyle="", label=CALLED.get(verdict, verdict))
    axis.axvline(THRESHOLD, color="black", linestyle="--", linewidth=1)
    axis.set(xlim=(SHOWN[0] - 0.05, SHOWN[1] + 0.05), ylim=(len(names) * block - 0.5, -1))
    axis.set_xlabel("share of standard RL's gain that is recovered\n(95% interval, cut at -1 and 1.5)", fontsize=10)
    axis.set_yticks(list(rows), list(rows.values()), fontsize=8)
    axis.grid(axis="y", visible=False)
    counts, words = table["verdict"].value_counts(), CALLED | {"holds": "hold", "fails": "fail"}
    said = ", ".join(f"{counts[verdict]} {words[verdict]}" for verdict in VERDICTS if verdict in counts)
    axis.set_title(said, fontsize=10)
    handles = axis.get_legend_handles_labels()[0] + note(outside, "<")
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=9)
    return figure


def _row(axis, y: float, row: Any, colour) -> list[float]:
    """Draws one row, arrows where it goes on outside; returns its share where that lies outside."""
    estimate, outside = row.recovered, []
    axis.plot(np.clip([estimate.low, estimate.high], *SHOWN), [y, y], color=colour, linewidth=2)
    if SHOWN[0] <= estimate.value <= SHOWN[1]:
        axis.plot(estimate.value, y, VERDICTS[row.verdict], color=colour, markersize=6)
    for arrow, end, way, last in (("<", SHOWN[0], -1, estimate.low), (">", SHOWN[1], 1, estimate.high)):
        if way * estimate.value > way * end:
            outside.append(estimate.value)
            axis.plot(end, y, arrow, color=colour, markeredgecolor="black", markersize=9, zorder=5)
        elif way * last > way * end:
            axis.plot(end, y, arrow, color=colour, markersize=4)
    return outside


def _where(pair: tuple[str, str], pairs: list[tuple[str, str]]) -> str:
    """A pair, without what all have in common and without settings of its task, where that tells it from the others.

    >>> _where(("m", "a?size=4"), [("m", "a?size=4"), ("m", "b")]), _where(("m", "a?n=1"), [("m", "a?n=1"), ("m", "a?n=2")])
    ('a', 'a?n=1')
    """
    model, task = pair
    short = task.partition("?")[0]
    tasks = {other for _, other in pairs}
    if sum(other.partition("?")[0] == short for other in tasks) > 1:
        short = task
    if len({other for other, _ in pairs}) == 1:
        return short
    return model if len(tasks) == 1 else f"{model}, {short}"


def _arm_of(claim: str) -> str:
    """What readers call the arm that a claim is about."""
    return label(CLAIMS[claim].arm) if claim in CLAIMS else claim.replace("_", " ")
