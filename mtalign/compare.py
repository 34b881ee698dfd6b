"""Compare two studies: verdicts, accuracies beyond their intervals, and the cells of executed notebooks."""

from __future__ import annotations

import io
from pathlib import Path

import nbdime
import nbformat
from nbdime.diffing.notebooks import set_notebook_diff_targets
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff

from mtalign.claims import arm_accuracy, verdicts
from mtalign.records import Records
from mtalign.study import grid_of


def compare(a: Path, b: Path) -> tuple[list[str], bool]:
    """Lines for people, and whether a verdict changed."""
    tables = []
    for folder in (a, b):
        grid, records = grid_of(folder), Records(folder / "records")
        table = verdicts(grid.runs, records)
        found = {(r.claim, r.model, r.task): r.verdict for r in table.itertuples()}
        bars = {(r.panel, r.arm): r for r in arm_accuracy(grid.runs, records).itertuples()}
        tables.append((found, bars))
    (verdicts_a, bars_a), (verdicts_b, bars_b) = tables
    changed = [f"  {' '.join(key)}: {verdicts_a.get(key, 'absent')} -> {verdicts_b.get(key, 'absent')}"
               for key in dict.fromkeys([*verdicts_a, *verdicts_b]) if verdicts_a.get(key) != verdicts_b.get(key)]  # fmt: skip
    lines = [f"verdicts: {len(changed)} changed", *changed]
    moved = []
    for key in bars_a.keys() & bars_b.keys():
        x, y = bars_a[key], bars_b[key]
        if x.high < y.low or y.high < x.low:
            moved.append(
                f"  {key[0]}, {key[1]}: {x.value:.2f} [{x.low:.2f}, {x.high:.2f}] -> {y.value:.2f} [{y.low:.2f}, {y.high:.2f}]"
            )
    lines += [f"accuracies: {len(moved)} changed beyond their intervals", *sorted(moved)]
    names = sorted({p.name for p in a.glob("[!.]*.ipynb")} & {p.name for p in b.glob("[!.]*.ipynb")})
    set_notebook_diff_targets(metadata=False, identifier=False)
    for name in names:
        old, new = (nbformat.read(folder / name, as_version=4) for folder in (a, b))
        if difference := nbdime.diff_notebooks(old, new):
            text = io.StringIO()
            pretty_print_notebook_diff(name, name, old, difference, PrettyPrintConfig(out=text, use_color=False))
            lines.append(text.getvalue().rstrip())
    return lines, bool(changed)
