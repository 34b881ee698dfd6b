"""The dose panel: an arm's recovered share against alignment, as SVG that needs no script; values show on hover and focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtalign.claims.dose_response import SHOWN
from mtalign.claims.verdicts import THRESHOLD
from mtalign.notebook.palette import label
from mtalign.report.findings import MEASURE, in_words, kind_of

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 230, 42, 10, 10, 44  # so narrow that text stays readable on a phone
SHAPES = ["circle", "square", "diamond", "triangle"]  # of tasks, told apart without colour
SIZE = 4.5


@dataclass(frozen=True)
class Point:
    """A pair: its place, its interval, its shape and what it says."""

    x: float
    y: float
    low: float
    high: float
    task: int  # which colour
    path: str
    text: str
    cut_above: bool  # whether its interval ends outside the picture
    cut_below: bool
    dose: str  # of a ladder, else ""


@dataclass(frozen=True)
class Panel:
    """All that the template draws."""

    arm: str
    finding: str
    points: list[Point]
    half: float
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    band: tuple[float, float] | None
    flip: float | None
    tasks: list[tuple[str, str]]  # name, path of its shape
    outside: list[float]  # shares that lie outside the picture, where an arrow stands at its edge
    text: str  # the picture in words


def panel(shares: pd.DataFrame, flips: pd.DataFrame, arm: str) -> Panel:
    """The panel of one arm.

    Args:
        shares, flips: as `dose_response` gives them.
    """
    rows = shares[shares["arm"] == arm]
    flip = flips[flips["arm"] == arm].iloc[0]
    tasks = sorted(shares["task"].unique())
    left, right = min(0.0, float(shares[MEASURE].min())), max(1.0, float(shares[MEASURE].max()))

    def across(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - left) / (right - left), 1)

    band, line = None, None
    value, low, high = flip["flip"], flip["low"], flip["high"]
    if kind_of(value, low, high) in ("from", "nearly", "open") and (np.isfinite(low) or np.isfinite(high)):
        band = across(max(low, left)), across(min(high, right))
        line = across(value) if np.isfinite(value) else None
    points = []
    for row in rows.sort_values(MEASURE).to_dict("records"):
        found, task = row["recovered"], tasks.index(row["task"])
        x, y = across(row[MEASURE]), _up(row["value"])
        text = f"{row['model']}, {row['task']}: share {found}, alignment {row[MEASURE]:.2f}"
        ends = _up(max(found.low, SHOWN[0])), _up(min(found.high, SHOWN[1]))
        cut = found.high > SHOWN[1], found.low < SHOWN[0]
        beyond = (found.value > SHOWN[1]) - (found.value < SHOWN[0])
        path, dose = _arrow(x, y, beyond) if beyond else _shape(task, x, y), row["model"].partition("dose-")[2]
        points.append(Point(x, y, *ends, task % 4, path, text, *cut, dose))
    keys = [(task, _shape(i, 6, 6)) for i, task in enumerate(tasks)]
    ticks_x = [(across(v), f"{v:g}") for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    ticks_y = [(_up(v), f"{v:g}") for v in (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)]
    finding, shown = in_words(flip), [row["recovered"].value for row in rows.to_dict("records")]
    outside = sorted(share for share in shown if not SHOWN[0] <= share <= SHOWN[1])
    text = f"Share of standard RL's gain recovered by {label(arm)}, against alignment: {finding}. " + "; ".join(
        f"{row['model']}, {row['task']}: {row['recovered'].value:.2f}"
        for row in rows.sort_values(MEASURE).to_dict("records")
    )
    return Panel(label(arm), finding, points, _up(THRESHOLD), ticks_x, ticks_y, band, line, keys, outside, text)


def _up(share: float) -> float:
    low, high = SHOWN
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - float(np.clip(share, low, high))) / (high - low), 1)


def _shape(task: int, x: float, y: float) -> str:
    """The outline of a task's marker around a place."""
    r, kind = SIZE, SHAPES[task % len(SHAPES)]
    if kind == "circle":
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0"
    if kind == "square":
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z"
    if kind == "diamond":
        return f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r} {1.3 * r}l{-1.3 * r} {1.3 * r}l{-1.3 * r} {-1.3 * r}z"
    return f"M{x:.1f} {y - 1.2 * r:.1f}l{1.2 * r} {2.2 * r}h{-2.4 * r}z"


def _arrow(x: float, y: float, up: int) -> str:
    """The outline of an arrow at the edge of the picture, which points out of it: up where `up` is 1, down where -1."""
    r = 1.5 * SIZE * up
    return f"M{x:.1f} {y - r / 2:.1f}l{1.3 * SIZE:.1f} {1.5 * r:.1f}h{-2.6 * SIZE:.1f}z"
