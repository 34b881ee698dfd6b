"""What an engineer with a model of their own can take from a grid: one line for each shortcut, computed from its flip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtalign.claims.verdicts import CLAIMS
from mtalign.notebook.palette import label
from mtalign.report.findings import STATED, each_once, kind_of
from mtalign.report.words import count, stands


@dataclass(frozen=True)
class Advice:
    """The box "Should I use this on my model?".

    Attributes:
        lines: (arm, what to do).
        exceptions: verdicts of other blocks on the wrong side of a flip.
        cost: what it cost to be wrong, in accuracy.
    """

    lines: list[tuple[str, str]]
    exceptions: list[str]
    cost: list[str]


def advice(tables: list[dict], flips: pd.DataFrame, runs: list[dict]) -> Advice | None:
    """The box, or nothing where no flip is known.

    Args:
        tables: as `index.verdict_tables` gives them, the headline's first.
        flips: as `dose_response.flips` gives them for the headline block.
        runs: as `run_pages.runs_table` gives them.
    """
    if not len(flips) or not tables:
        return None
    names = {claim.arm: name for name, claim in CLAIMS.items()}
    rows, inside = each_once(tables), set(tables[0]["pairs"])
    lines, exceptions, cost = [], [], []
    for flip in (row for row in flips.itertuples() if row.arm in names):
        these = [
            r
            for (*_, claim), r in rows.items()
            if claim == names[flip.arm] and r.raw not in ("missing", "not testable")
        ]
        own = [r for r in these if (r.model, r.task) in inside]
        lines.append((label(flip.arm), _line(flip, own)))
        if kind_of(flip.flip, flip.low, flip.high) != "from":
            continue
        wrong = [r for r in these if (r.model, r.task) not in inside and stands(r) and _surprises(flip, r)]
        exceptions += [_exception(flip, r, tables) for r in wrong]
        cost += _cost(flip, own, runs)
    return Advice(lines, exceptions, cost)


def _line(flip: Any, rows: list) -> str:
    kind = kind_of(flip.flip, flip.low, flip.high)
    so_far = _counted(rows)
    if kind == "from":
        above = _counted([r for r in rows if r.alignment > flip.high])
        below = _counted([r for r in rows if r.alignment < flip.low])
        return f"use it above {flip.high:.2f} ({above}), not below {flip.low:.2f} ({below}); in between this study cannot tell"
    if kind in ("everywhere", "nearly"):
        return f"use it: {so_far}"
    return f"do not use it: {so_far}" if kind in ("nowhere", "hardly") else f"not decided: {so_far}"


def _counted(rows: list) -> str:
    """In how many pairs the claim held, failed or stayed undecided."""
    held, failed = (sum(stands(r) and r.raw == verdict for r in rows) for verdict in ("holds", "fails"))
    left = len(rows) - held - failed
    return f"of {count(len(rows), 'pair')} it held in {held} and failed in {failed}, {left} undecided"


def _surprises(flip: Any, row: Any) -> bool:
    """Whether the verdict is not what the flip says of so much alignment."""
    return (row.raw == "holds") if row.alignment < flip.low else (row.raw == "fails") and row.alignment > flip.high


def _exception(flip: Any, row: Any, tables: list[dict]) -> str:
    title = next((t["title"] for t in tables if (row.model, row.task) in t["pairs"]), "")
    below = "although alignment is only" if row.raw == "holds" else "although alignment is"
    return f"{title or 'another block'}: {label(flip.arm)} {row.raw} on {row.model}, {row.task}, {below} {row.alignment:.2f}"


def _cost(flip: Any, rows: list, runs: list[dict]) -> list[str]:
    """What the arm and standard RL did to accuracy in the pairs where the arm fails."""
    failed = {(r.model, r.task) for r in rows if stands(r) and r.raw == "fails" and r.claim != STATED}
    gains: dict[str, list[float]] = {"standard": [], flip.arm: []}
    for run in runs:
        if (run["model"], run["task"]) in failed and run["arm"] in gains and run["status"] == "finished":
            gains[run["arm"]].append(run["accuracy"] - run["accuracy_before"])
    if not failed or not all(gains.values()):
        return []
    arm, standard = (float(np.mean(gains[name])) for name in (flip.arm, "standard"))
    return [
        f"where {label(flip.arm)} fails ({count(len(failed), 'pair')}), it changed accuracy by {arm:+.2f} in the mean;"
        f" standard RL by {standard:+.2f}"
    ]
