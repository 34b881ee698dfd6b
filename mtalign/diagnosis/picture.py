"""The picture of a card: where this pair lies on the curve of each arm of the study."""

from __future__ import annotations

import io

import numpy as np

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.verdicts import CLAIMS, THRESHOLD
from mtalign.diagnosis import measured
from mtalign.diagnosis.card import Card
from mtalign.diagnosis.words import probability

FEWEST = 6  # measured pairs, from which on an arm has a panel


def draw(found: Card) -> str:
    """An SVG, inline: a panel for each claim with enough measured pairs, dots for these, and a band for this pair.

    Text is drawn as outlines and no name from outside stands in it, so that nothing in it can run or load anything.
    """
    from matplotlib.figure import Figure

    known = {f.claim: measured.points(f.claim, found.compared) for f in found.expected}
    shown = [f for f in found.expected if known[f.claim][0].size >= FEWEST]
    rows = -(-len(shown) // 3)
    figure = Figure(figsize=(10, 2.8 * rows), layout="constrained")
    axes = iter(figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).flat)
    level = found.level
    for forecast, axis in zip(shown, axes, strict=False):
        levels, shares = known[forecast.claim]
        axis.axhline(THRESHOLD, color="0.6", linewidth=1, linestyle="--")
        axis.axvspan(level["low"], level["high"], color="tab:orange", alpha=0.3, linewidth=0)
        axis.axvline(level["value"], color="tab:orange", linewidth=2)
        axis.scatter(levels, np.clip(shares, *SHOWN), color="tab:blue", s=22)
        said = forecast.verdict + (f", P = {probability(forecast)}" if forecast.probability is not None else "")
        name = CLAIMS[forecast.claim].name.replace("_rl", " RL").replace("_", " ")
        axis.set_title(f"{name}\n{said}", fontsize=10)
    for axis in axes:  # those that are left
        axis.set_axis_off()
    figure.supxlabel(f"alignment before RL: {found.compared}")
    figure.supylabel("share of standard RL's gain recovered")
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]
