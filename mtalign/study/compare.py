"""Compare two studies: verdicts, numbers beyond their intervals, and the cells of executed notebooks."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import nbdime
import nbformat
from nbdime.diffing.notebooks import set_notebook_diff_targets
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff

from mtalign.claims.tables import arm_accuracy
from mtalign.claims.verdicts import verdicts
from mtalign.notebook.pages import grid_of
from mtalign.records.store import Records
from mtalign.report import html
from mtalign.stats import Estimate

PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


@dataclass
class Differences:
    """What differs between two studies, in words.

    Attributes:
        verdicts: lines for verdicts that changed, or that only one of the two has.
        numbers: lines for accuracies and recovered shares whose intervals do not overlap.
        cells: notebook -> nbdime's differences of its cells, without metadata; pictures are only named.
        alone: notebooks that only one of the two has.
    """

    verdicts: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    cells: dict[str, str] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        lines = [f"verdicts: {len(self.verdicts)} changed", *(f"  {line}" for line in self.verdicts)]
        lines += [f"numbers: {len(self.numbers)} changed beyond their intervals", *(f"  {n}" for n in self.numbers)]
        lines += [f"notebooks: {len(self.cells)} differ in cells", *(f"  {line}" for line in self.alone)]
        return lines + list(self.cells.values())


def compare(a: Path, b: Path) -> Differences:
    """The differences of two output folders of `mtalign study`; `a` is the older.

    Raises:
        ConfigError: one of them is no such folder.
    """
    (verdicts_a, numbers_a), (verdicts_b, numbers_b) = _summary(a), _summary(b)
    differences = Differences()
    for key in dict.fromkeys([*verdicts_a, *verdicts_b]):
        old, new = verdicts_a.get(key, "absent"), verdicts_b.get(key, "absent")
        if old != new:
            differences.verdicts.append(f"{' '.join(key)}: {old} -> {new}")
    for key in (key for key in numbers_a if key in numbers_b):
        x, y = numbers_a[key], numbers_b[key]
        if x.high < y.low or y.high < x.low:
            differences.numbers.append(f"{' '.join(key)}: {x} -> {y}")
    names = [{path.name for path in folder.glob("[!.]*.ipynb")} for folder in (a, b)]
    differences.alone = [f"{name}: only in {a if name in names[0] else b}" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        if text := cell_differences(name, *(nbformat.read(folder / name, as_version=4) for folder in (a, b))):
            differences.cells[name] = text
    return differences


def _summary(folder: Path) -> tuple[dict[tuple, str], dict[tuple, Estimate]]:
    """The verdicts and the numbers of a study, by what they are about."""
    grid, records = grid_of(folder), Records(folder / "records")
    claimed, numbers = {}, {}
    for block in grid.blocks.values():
        for row in verdicts(block.runs, records).itertuples():
            claimed[row.claim, row.model, row.task] = row.verdict
            if isinstance(row.recovered, Estimate):
                numbers["share recovered,", row.claim, row.model, row.task] = row.recovered
        for row in arm_accuracy(block.runs, records).itertuples():
            numbers["accuracy,", row.panel, row.arm] = Estimate(row.value, row.low, row.high)
    return claimed, numbers


def cell_differences(name: str, old: nbformat.NotebookNode, new: nbformat.NotebookNode) -> str:
    """nbdime's differences of two executed notebooks as text; "" where there are none.

    Metadata and counts of execution are left out; a picture counts by its size alone.
    """
    for notebook in (old, new):
        for cell in notebook.cells:
            for part in (cell, *cell.get("outputs", [])):
                part.update({key: type(part[key])() for key in ("metadata", "execution_count") if part.get(key)})
            for output in cell.get("outputs", []):
                for kind in PICTURES:
                    if kind in output.get("data", {}):
                        output["data"][kind] = f"a picture of {len(output['data'][kind])} characters"
    set_notebook_diff_targets(metadata=False, identifier=False)
    difference = nbdime.diff_notebooks(old, new)
    if not difference:
        return ""
    text = io.StringIO()
    pretty_print_notebook_diff(name, name, old, difference, PrettyPrintConfig(out=text, use_color=False))
    return text.getvalue().rstrip()


def write_html(differences: Differences, a: Path, b: Path, page: Path) -> None:
    """The differences as a page of its own, which opens without the network."""
    cells = {name: [(_kind(line), line) for line in text.splitlines()] for name, text in differences.cells.items()}
    text = html.templates().get_template("diff.html").render(found=differences, cells=cells, a=a.name, b=b.name)
    html.write(page, text)


def _kind(line: str) -> str:
    """`added`, `removed`, `place` or nothing, from how nbdime begins a line.

    >>> _kind("+  new"), _kind("## modified /cells/3"), _kind("   same")
    ('added', 'place', '')
    """
    if line.startswith(("##", "---", "+++")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "")
