"""The claim matrix: a strip of cells for each claim and task, ordered by dose or alignment, each with its evidence.

A cell shows the share recovered; its colour says which verdict and how much, its sign the verdict without colour, and what
it tells when it has the focus or the pointer is all in its text, so that it works without scripts and is read aloud.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from mtalign.claims.verdicts import CLAIMS
from mtalign.config.warm_up import called, is_warm_up
from mtalign.notebook.palette import label
from mtalign.report.words import count, pale, said, word

MOST_PAIRS = 6  # so many pairs stand beside each other; of more, models do, and each claim has a row for each task
STEPS = 3  # of a colour: how far a share is from one half


@dataclass(frozen=True)
class Cell:
    """One verdict in the strip."""

    css: str
    sign: str
    share: str
    text: str  # what it tells in full
    link: str


@dataclass(frozen=True)
class Strip:
    """A table of cells: `heads` above the columns, and for each claim its rows, each with a head and its cells.

    `corner` is what the heads have in common ("dose" of dose-0.04, dose-0.07 ...), else what the rows are.
    """

    title: str
    seeds: int
    corner: str
    heads: list[str]
    claims: list[tuple[str, list[tuple[str, list[Cell | None]]]]]
    rows_are_tasks: bool


def strip(table: dict) -> Strip:
    """The strip of one table of `index.verdict_tables`."""
    pairs = list(reversed(table["pairs"]))  # from weak to strong
    tasks = list(dict.fromkeys(task for _, task in pairs))
    models = sorted(dict.fromkeys(model for model, _ in pairs), key=_strength(table))
    by_task = len(pairs) > MOST_PAIRS and len(models) > 1 and len(tasks) > 1
    if by_task:
        corner, heads = apart([short(model, models) for model in models])
        rows = [(short(task, tasks), [(model, task) for model in models]) for task in sorted(tasks)]
    else:
        corner, heads = "arm", [_pair(pair, models, tasks) for pair in pairs]
        rows = [("", pairs)]
    claims = []
    for claim in table["claims"]:
        name = label(CLAIMS[claim].arm) if claim in CLAIMS else claim.replace("_", " ")
        claims.append(
            (name, [(head, [_cell(table["cells"].get((pair, claim))) for pair in row]) for head, row in rows])
        )
    return Strip(table["title"], table["seeds"], corner or "task", heads, claims, by_task)


def apart(names: list[str]) -> tuple[str, list[str]]:
    """What names have in common up to the last hyphen, and what tells them apart.

    >>> apart(["dose-0.04", "dose-0.10"]), apart(["a", "b"])
    (('dose', ['0.04', '0.10']), ('', ['a', 'b']))
    """
    stems = {name.rpartition("-")[0] for name in names}
    common = stems.pop() if len(stems) == 1 else ""
    return common, [name.removeprefix(f"{common}-") for name in names] if common else names


def _strength(table: dict) -> Callable[[str], tuple[float, str]]:
    levels: dict[str, list[float]] = {}
    for ((model, _), _), row in table["cells"].items():
        if row.raw != "missing":
            levels.setdefault(model, []).append(row.alignment)
    return lambda model: (float(np.mean(levels.get(model, [0.0]))), model)


def short(name: str, others: list[str]) -> str:
    """A name without its options and what stands before the colon, where that tells it from the others.

    >>> short("rg:chain_sum?min_terms=2", ["rg:chain_sum?min_terms=2", "logic"])
    'chain_sum'
    """

    def cut(text: str) -> str:
        return text.partition("?")[0].rpartition(":")[2].rpartition("/")[2].partition("@")[0] or text

    if is_warm_up(name):
        return called(name, others)
    return cut(name) if [cut(other) for other in others].count(cut(name)) == 1 else name


def _pair(pair: tuple[str, str], models: list[str], tasks: list[str]) -> str:
    parts = [short(pair[0], models)] * (len(models) > 1) + [short(pair[1], tasks)] * (
        len(tasks) > 1 or len(models) == 1
    )
    return ", ".join(parts)


def _cell(row: Any) -> Cell | None:
    if row is None:
        return None
    shown, claim = word(row), CLAIMS.get(row.claim)
    arm = claim.arm if claim else row.claim
    link = f"runs.html#q={quote(f'{row.model} {row.task} {arm}')}"
    where = f"{label(arm)} on {row.model}, {row.task}: {said(row)}"
    if row.raw == "missing":
        return Cell(shown.css, shown.sign, "", f"{where}. {row.why}", link)
    about = f"share {row.recovered}, {count(int(row.seeds), 'seed')}; alignment {row.alignment:.2f}"
    if row.raw == "not testable":
        return Cell(shown.css, shown.sign, "", f"{where}: {row.why}. {about}.", link)
    far = min(STEPS, 1 + int(abs(row.recovered.value - 0.5) * 2 * STEPS))
    css = f"{shown.css} far{far}" + " pale" * pale(row)
    share = f"{np.clip(row.recovered.value, -9.9, 9.9):.1f}".replace("-0.0", "0.0")
    taken = f"{int(row.took_off)} of {count(int(row.seeds), 'run')} took off"
    return Cell(css, shown.sign, share, f"{where}. {about}; {taken}; the paper expects that it {row.predicted}.", link)
