"""Pictures of the published record beside the study's own pairs."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.published_predictions import MEASURE
from mtalign.claims.published_record import CLAIM
from mtalign.claims.verdicts import THRESHOLD
from mtalign.diagnosis import measured
from mtalign.notebook.dose_figures import beyond, note, nothing
from mtalign.notebook.palette import label

ARM = {"format": "format_only"}  # the file's methods that the study calls otherwise
SIZES = (0.5, 72.0)  # billions of parameters, from the palest colour to the darkest
TICKS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def beside_ours(cells: pd.DataFrame) -> Figure:
    """The share of true labels' gain that each method recovers against alignment at pass@1, published and ours.

    A panel for each method: dots are published cells, darker with the model's size, squares are the study's pairs of
    micro models. The horizontal axis is that of square roots, lest low alignment be squeezed together.

    Args:
        cells: as `claims.published_record.cells` gives them; those without a known chance are left out.
    """
    cells = cells.dropna(subset="alignment")
    if cells.empty:
        return nothing()
    methods = list(cells["method"].value_counts().index)
    rows = -(-len(methods) // 2)
    figure, axes = plt.subplots(
        rows, 2, figsize=(10, 2.9 * rows), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    shown, outside = None, []
    for axis, method in zip(axes.flat, methods, strict=False):
        own = cells[cells["method"] == method]
        level, share = measured.points(CLAIM[method], MEASURE)
        inside = (share > SHOWN[0]) & (share < SHOWN[1])
        axis.plot(np.clip(level, 0, 1)[inside], share[inside], "s", color="C1", alpha=0.7, markersize=5, label="_ours")
        within = own[own["share"].between(*SHOWN, inclusive="neither")]
        look = {"cmap": "viridis_r", "norm": LogNorm(*SIZES)}
        shown = axis.scatter(within["alignment"].clip(0, 1), within["share"], c=within["billions"], s=22, **look)
        for at, value, size in [
            *((x, y, None) for x, y in zip(level[~inside], share[~inside], strict=True)),
            *own.drop(within.index)[["alignment", "share", "billions"]].itertuples(index=False),
        ]:
            colour = "C1" if size is None else shown.cmap(shown.norm(size))
            outside += beyond(axis, float(np.clip(at, 0, 1)), value, "", colour)
        axis.axhline(THRESHOLD, color="black", linestyle="--", linewidth=1)
        name = label(ARM.get(method, method))
        axis.set_title(f"{name}: {own['holds'].sum()} of {len(own)} above one half", fontsize=11)
        axis.set(
            ylim=(SHOWN[0] - 0.05, SHOWN[1] + 0.05),
            xlabel="alignment (chance-corrected pass@1)",
            ylabel="share recovered",
        )
        axis.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        axis.set_xlim(0, 1)
        axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS], fontsize=9)
        axis.label_outer()
    for axis in axes.flat[len(methods) :]:
        axis.set_axis_off()
    if outside:
        figure.legend(handles=note(outside), loc="outside upper center")
    bar = figure.colorbar(shown, ax=axes, label="billions of parameters (squares: ours, 85 thousand)", shrink=0.6)
    bar.set_ticks([0.5, 1.5, 3, 8, 32, 72], labels=["0.5", "1.5", "3", "8", "32", "72"])
    bar.ax.minorticks_off()
    return figure
