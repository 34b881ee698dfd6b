"""All predictions of a grid with their outcomes, wrong ones included: of executed notebooks, of paired arms, of the paper."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from mtalign.claims.predictions import KIND, OUTCOMES, judge_paired
from mtalign.claims.verdicts import CLAIMS
from mtalign.notebook.cells import cells
from mtalign.notebook.pages import Page
from mtalign.notebook.palette import label
from mtalign.report.findings import each_once
from mtalign.report.words import stands

FIELDS = ("statement", "rule", "outcome", "because", "where", "source")


def judged_in(executed: Path) -> list[dict]:
    """The predictions that an executed notebook judged: `claims.predictions.Judged` as dicts."""
    found = []
    for output in (output for cell in cells(executed) for output in cell.get("outputs", [])):
        given = output.get("metadata", {}).get(KIND)
        these = given if isinstance(given, list) else [given]
        known = [each for each in these if isinstance(each, dict) and each.get("outcome") in OUTCOMES]
        found += [{field: str(each.get(field, "")) for field in FIELDS} for each in known]
    return found


def of_notebooks(pages: list[Page], out: Path) -> list[dict]:
    """Rows of the notebooks: those of `judged_in`, with `page`, the stem of the notebook's page."""
    return [row | {"page": page.stem} for page in pages for row in judged_in(out / f"{page.stem}.ipynb")]


def once(rows: list[dict]) -> list[dict]:
    """Rows about one model and task that several notebooks judge alike, numbers included, stand once: they are one prediction.

    >>> row = dict.fromkeys(FIELDS, "") | {"where": "micro-a, logic"}
    >>> [each["page"] for each in once([row | {"page": "02"}, row | {"page": "10"}, row | {"page": "15", "where": "logic"}])]
    ['02', '15']
    """
    found: dict[tuple, dict] = {}
    for place, row in enumerate(rows):
        of_a_pair = ", " in row.get("where", "")
        found.setdefault(tuple(row.get(field) for field in FIELDS) if of_a_pair else (place,), row)
    return list(found.values())


def of_pairs(paired: list[dict]) -> list[dict]:
    """Rows of the paired arms: those with a prediction, from `index.paired`."""
    rows = []
    for row in paired:
        if judged := judge_paired(row):
            about = f"{label(row['arm'])} against {label(row['other'])}: {judged.statement.lower()}"
            rows.append(asdict(judged) | {"statement": about, "page": row["stem"]})
    return rows


def all_judged(paired: list[dict], notebooks: list[dict]) -> list[dict]:
    """What notebooks judged, and paired arms whose notebook was executed by code that judged nothing."""
    known = {row["page"] for row in notebooks}
    return once([row for row in of_pairs(paired) if row["page"] not in known] + notebooks)


def of_the_paper(tables: list[dict]) -> list[dict]:
    """For each claim and strength of alignment: what the paper expects, and in how many pairs which outcome was found.

    Returns:
        Dicts: claim, arm, panel, predicted, and a number for each of `OUTCOMES`; `outcome` of all pairs together.
    """
    counts: dict[tuple, Counter] = {}
    for row in each_once(tables).values():
        if row.raw in ("missing", "not testable"):
            continue
        outcome = ("confirmed" if row.raw == row.predicted else "refuted") if stands(row) else "undecided"
        counts.setdefault((row.claim, row.panel, row.predicted), Counter())[outcome] += 1
    return [
        {"claim": claim, "arm": label(CLAIMS[claim].arm) if claim in CLAIMS else claim, "panel": panel, "predicted": predicted}
        | {outcome: found[outcome] for outcome in OUTCOMES}
        for (claim, panel, predicted), found in sorted(counts.items())
    ]  # fmt: skip
