"""The page of a study that is at work: the headline picture of what is finished, and how far it is."""

from __future__ import annotations

import os
from pathlib import Path

from mtalign.claims.tables import arm_accuracy
from mtalign.config.grid import Grid
from mtalign.config.run import Run
from mtalign.notebook.figures import accuracy_bars
from mtalign.records.store import Records
from mtalign.report import html
from mtalign.report.index import draw, embed, headline_text

MARK = '<meta name="mtalign-so-far"'  # a page without it is a report, and stays until there is a new one
EVERY = 10  # seconds after which the browser asks again


def silently(*arguments) -> None:
    """`write_so_far` in a process of its own: what goes wrong there, a full disk say, the study itself will tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    write_so_far(*arguments)


def write_so_far(grid: Grid, records: Records, out: Path, done: int, seconds: float, left: float | None) -> None:
    """Writes `index.html` of a study at work, where no report is there.

    Args:
        done: runs that finished or failed, after so many `seconds`; `left` is what the others are expected to take.
    """
    index = out / "index.html"
    if index.is_file() and MARK not in index.read_text(encoding="utf-8", errors="replace")[:2000]:
        return
    bars = arm_accuracy(comparable(grid, records), records, by_panel=True)
    picture = None
    if len(bars):
        draw(accuracy_bars(bars), out / "headline.png")
        picture = embed((out / "headline.png").read_bytes(), headline_text(bars))
    text = html.templates().get_template("so_far.html").render(
        grid=grid, picture=picture, seeds=int(bars["seeds"].max()) if len(bars) else 0, done=done, seconds=seconds,
        left=left, total=len(grid.runs), every=EVERY, made_from=records.evidence(()),
    )  # fmt: skip
    html.write(index, text)


def comparable(grid: Grid, records: Records) -> list[Run]:
    """Of the headline's runs those that can stand beside each other: arms and seeds that are finished in all pairs begun."""
    runs = [run for run in grid.block({}).runs if records.finished(run)]
    begun = {(run.model, run.task) for run in runs if run.max_steps}
    found: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        if (run.model, run.task) in begun:
            found.setdefault((run.arm, run.seed), []).append(run)
    return [run for these in found.values() if len(these) == len(begun) for run in these]
