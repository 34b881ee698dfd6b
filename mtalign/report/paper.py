"""The page of the paper's claims: what it says, its numbers, and what the records of one or several reports say of each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtalign.claims.paper_verdicts import judged, table
from mtalign.claims.verdicts import VERDICT_COLUMNS
from mtalign.config.grid import Grid
from mtalign.notebook.pages import grid_of, pages
from mtalign.records.store import Records
from mtalign.report import html
from mtalign.report.findings import each_once

CSS = {"holds": "confirmed", "fails": "refuted"}  # classes of `style.css`


def paper_rows(
    grid: Grid, records: Records, tables: list[dict] | None = None, cells: pd.DataFrame | None = None
) -> list[dict]:
    """Rows of `claims.paper.table` for a grid, with `page`: the stem of a page of the grid that shows the claim, or "".

    Args:
        tables: as `index.verdict_tables` gives them, where they have been computed already.
        cells: of a map, as `level_findings.mapped` has them, likewise.
    """
    known = None
    if tables is not None:
        rows = [row._asdict() for row in each_once(tables).values()]
        known = pd.DataFrame(rows, columns=VERDICT_COLUMNS)
    stems = [page.stem for page in pages(grid)]
    found = judged([block.runs for block in grid.blocks.values()], records, known, cells)
    rows = table(found).to_dict("records")
    for row in rows:
        shown = [stem for stem in stems if stem.partition(".")[0] == row["notebook"]]
        other = [stem for stem in stems if stem.partition(".")[0] == "17_paper_claims"]
        row["page"] = next(iter(shown + other), "")
    return rows


def by_claim(rows: list[dict]) -> list[tuple[dict, list[dict]]]:
    """Each claim, with what was found of it for each kind of model."""
    claims: dict[str, list[dict]] = {}
    for row in rows:
        claims.setdefault(row["claim"], []).append(row | {"css": CSS.get(row["outcome"], "undecided")})
    return [(found[0], found) for found in claims.values()]


def of_reports(folders: list[Path]) -> list[dict]:
    """Rows of several reports; `models` says which report is meant too.

    Raises:
        ConfigError: a folder is not the output folder of a study.
    """
    rows = []
    for folder in folders:
        grid = grid_of(folder)
        found = paper_rows(grid, Records(folder / "records"))
        rows += [row | {"models": f"{row['models']} ({grid.name})", "page": ""} for row in found]
    return sorted(rows, key=lambda row: int(row["claim"][1:]))


def write(rows: list[dict], path: Path) -> None:
    """Writes the page of several reports, which opens without them and without the network."""
    text = (
        html.templates()
        .get_template("claims.html")
        .render(paper_claims=by_claim(rows), grid=None, made_from=html.digest(repr(rows)))
    )
    html.write(path, text)
