"""What the index page tells: verdicts, released definitions and what follows, each computed from records."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from markupsafe import Markup
from nbconvert.filters import markdown2html

from mtalign.claims import dose_response
from mtalign.claims.predictions import NEITHER
from mtalign.claims.tables import arm_accuracy, difference
from mtalign.claims.untrained import UNTRAINED, gain_without_training
from mtalign.claims.verdicts import (
    CLAIMS,
    LEAST_GAIN,
    STRONG,
    THRESHOLD,
    alignment,
    correct,
    panel,
    settled,
    verdicts,
)
from mtalign.config import recipes
from mtalign.config.grid import Grid
from mtalign.config.paths import write_whole
from mtalign.models.load import is_micro
from mtalign.notebook import conclusions, same_prompts
from mtalign.notebook.examples import examples
from mtalign.notebook.figures import accuracy_bars
from mtalign.notebook.figures import dose_response as dose_response_picture
from mtalign.notebook.pages import pages
from mtalign.notebook.palette import know, label
from mtalign.records.store import Records
from mtalign.records.tables import named
from mtalign.report import level_findings, untrained_findings, warm_up_findings
from mtalign.report.advice import advice
from mtalign.report.dose_panel import panel as panel_of
from mtalign.report.dose_slider import dial, stops
from mtalign.report.findings import MEASURE, findings
from mtalign.report.html import PHONE, width
from mtalign.report.matrix import strip
from mtalign.report.paper import by_claim, paper_rows
from mtalign.report.predictions import all_judged, of_notebooks, of_the_paper
from mtalign.report.run_pages import runs_table
from mtalign.report.words import key, said, word
from mtalign.runs.provenance import deviations_of
from mtalign.tasks.registry import load_task


def contents(grid: Grid, records: Records, out: Path) -> dict:
    """What the index shows, from the records alone; draws `headline.png` and, of a dose ladder, `dose_response.png`."""
    know(grid.own_arms)
    found = [(run, records.read(run)) for run in grid.runs]
    finished = [record for _, record in found if record and record["status"] == "finished"]
    headline = grid.block({}).runs
    bars = arm_accuracy(headline, records, by_panel=True)
    draw(accuracy_bars(bars), out / "headline.png")
    tables, runs = verdict_tables(grid, records), runs_table([record for _, record in found if record])
    shares, flips = ladder(grid, records)
    if len(flips):
        draw(dose_response_picture(shares, MEASURE, flips), out / "dose_response.png")
    pairs, asked = paired(grid, records), without_training(grid, records)
    base = {(r["config"]["model"], r["config"]["task"]): r for r in finished if r["config"]["arm"] == "base"}
    options = {pair: named(record) for pair, record in base.items()}
    doses, made_pages = dial(model for model, _ in grid.block({}).pairs), pages(grid)
    levels, judged = (
        {pair: alignment(record) for pair, record in base.items()},
        all_judged(pairs, of_notebooks(made_pages, out)),
    )
    advised, found_map = advice(tables, flips, runs), level_findings.mapped(grid, records)
    leads = found_map or warm_up_findings.of_warm_ups(grid, records)
    if leads:
        draw(leads.picture(), out / "levels.png")
    if found_map:
        told = level_findings.findings(found_map, tables)
    elif leads:
        told = warm_up_findings.findings(leads)
    elif tables:
        told = findings(grid, records, tables, flips, advised.exceptions if advised else ())
    else:
        told = untrained_findings.findings(grid, made_pages, levels, judged)
    return {
        "grid": grid,
        "found": told,
        "deciding": panel_of(shares, flips, told.deciding) if told.deciding else None,
        "panels": [panel_of(shares, flips, arm) for arm in sorted(flips["arm"], key=UNTRAINED.__contains__)]
        if len(flips)
        else [],
        "advice": advised,
        "strips": [strip(table) for table in tables],
        "words": key(row for table in tables for row in table["cells"].values()),
        "leads": embed((out / "levels.png").read_bytes(), leads.in_words()) if leads else None,
        "by_level": found_map is not None,
        "pretrained": found_map.pretrained if found_map else 1,
        "headline": embed((out / "headline.png").read_bytes(), headline_text(bars)),
        "bars": bars.to_dict("records"),
        "tables": tables,
        "paired": pairs,
        "same_prompts": of_same_prompts(grid, records),
        "ties": same_prompts.TIES,
        "paper": of_the_paper(tables),
        "paper_claims": by_claim(paper_rows(grid, records, tables, found_map.cells if found_map else None)),
        "judged": judged,
        "neither": sum(NEITHER in row["because"] for row in judged),
        "question": untrained_findings.question(bool(tables), made_pages),
        "elsewhere": not tables and untrained_findings.looks_elsewhere(made_pages),
        "limits": untrained_findings.limits(made_pages, out),
        "predictors": _html(conclusions.predictors(dose_response.predictors(shares))) if len(flips) else None,
        "without_training": asked,
        "ways": [way for way in UNTRAINED if any(way in row for row in asked.values())],
        "levels": levels,
        "examples": examples(base.values()),
        "dial": doses,
        "stops": stops(shares, doses) if len(flips) else [],
        "named": {pair: share for pair, share in options.items() if share is not None},
        "chance": {task: load_task(task).chance for _, task in base},
        "micro": all(is_micro(model) for model, _ in grid.pairs),
        "seeds": grid.block({}).seeds,
        "claims": CLAIMS,
        "base": [row for row in runs if row["arm"] == "base" and row["status"] == "finished"],
        "holes": [
            (run, record["reason"] if record else "not run")
            for run, record in found
            if not record or record["status"] != "finished"
        ],
        "runs": runs,
        "versions": finished[0]["versions"] if finished else {},
        "device": finished[0]["device"] if finished else "unknown",
        "deviations": said_once(deviations_of(run) for run, record in found if record),
        "settings": recipes.table(grid.runs),
        "run_seconds": sum(record["seconds"] for record in finished),
        "threshold": THRESHOLD,
        "strong": STRONG,
        "panel": panel,
        "label": label,
        "said": said,
        "word": word,
    }


def said_once(lists: Iterable[list[str]]) -> list[str]:
    """The lines of several lists in their order, none twice.

    >>> said_once([["a", "b"], ["b", "c"]])
    ['a', 'b', 'c']
    """
    return list(dict.fromkeys(line for lines in lists for line in lines))


def ladder(grid: Grid, records: Records) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares and flips of the headline block, where it has more than two models and standard RL gains in three pairs."""
    block = grid.block({})
    if len({run.model for run in block.runs}) < 3:
        return pd.DataFrame(), pd.DataFrame()
    shares = dose_response.shares(block.runs, records)
    if shares.empty or len(shares[["model", "task"]].drop_duplicates()) < 3:
        return pd.DataFrame(), pd.DataFrame()
    return shares, dose_response.flips(shares)


def headline_text(bars: pd.DataFrame) -> str:
    """The headline picture in words, for those who do not see it."""
    parts = []
    for name, rows in bars.groupby("panel"):
        values = ", ".join(f"{label(r.arm)} {r.value:.2f}" for r in rows.itertuples())
        parts.append(f"{name}: {values}")
    return "Accuracy on held-out prompts. " + "; ".join(parts)


DPI = 130  # of the pictures that a README may show too; pages show them at the 100 of notebooks


def draw(figure, path: Path) -> None:
    """Writes the figure as a picture, and forgets it."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=DPI, format="png")
    write_whole(path, picture.getvalue())
    plt.close(figure)


def embed(png: bytes, text: str) -> Markup:
    """The picture inside the page, with its alternative text, in a box of its own in which it scrolls where it is too wide."""
    picture = '<img src="data:image/png;base64,{}" alt="{}" width="{}">'
    wide = round(width(png) * 100 / DPI)
    box = '<p class="hint">The picture scrolls sideways where the window is narrow.</p><div class="picture" tabindex="0" role="group" aria-label="Picture">{}</div>'
    image = Markup(picture).format(base64.b64encode(png).decode(), text, wide)
    return Markup(box).format(image) if wide > PHONE else image


PAIRED = "12_paired_arms"


def verdict_tables(grid: Grid, records: Records) -> list[dict]:
    """A table of verdicts for each block that has any, Holm's correction being over all their tests, each counted once.

    Returns:
        Dicts: title, and pairs and claims as rows and columns, the longer of the two as rows; `cells` finds a row of
        `claims.verdicts` by (model, task) and claim.
    """
    parts = {name: verdicts(block.runs, records) for name, block in grid.blocks.items()}
    everything, test = pd.concat(parts, names=["block"]).drop(columns="holm"), ["model", "task", "claim"]
    once = correct(everything.drop_duplicates(test).copy())  # a test may stand in several blocks
    everything = settled(everything.reset_index().merge(once[[*test, "holm"]], on=test))
    tables = []
    for name, block in grid.blocks.items():
        rows = [r for r in everything.itertuples() if r.block == name]
        if not rows:
            continue
        cells = {((r.model, r.task), r.claim): r for r in rows}
        level = {(r.model, r.task): r.alignment for r in rows if r.verdict != "missing"}
        pairs = sorted(dict.fromkeys(pair for pair, _ in cells), key=lambda pair: -level.get(pair, 1))
        names = list(dict.fromkeys(claim for _, claim in cells))
        tables.append(
            {"title": block.title, "seeds": len(block.seeds), "pairs": pairs, "claims": names, "cells": cells}
        )
    return tables


def paired(grid: Grid, records: Records) -> list[dict]:
    """A row for each pair and each notebook that sets a released definition beside the original one.

    Returns:
        Dicts: stem (of the page), and the columns of `claims.tables.difference`, with the verdict `better`, the better arm
        or "".
    """
    rows = []
    for name, own in grid.final.items():
        if not name.startswith(PAIRED):
            continue
        arms = own.get("arms", grid.block(own).arms)
        for row in difference(grid.block(own).runs, records, *arms[-2:]).to_dict("records"):
            low, high = row["difference"].low, row["difference"].high
            rows.append(row | {"stem": name, "better": row["arm"] if low > 0 else row["other"] if high < 0 else ""})
    return rows


def of_same_prompts(grid: Grid, records: Records) -> list[str]:
    """What incorrect rewards trained on and are compared with: a sentence for each pair of all blocks."""
    tables = [same_prompts.table(block.runs, records) for block in grid.blocks.values()]
    return list(dict.fromkeys(line for table in tables for line in same_prompts.lines(table)))


def without_training(grid: Grid, records: Records) -> dict[tuple[str, str], dict[str, tuple]]:
    """Pair -> way of asking the untrained model -> its accuracy and its share of standard RL's gain; of all blocks.

    A share is None where standard RL gains too little for one.
    """
    found: dict[tuple[str, str], dict[str, tuple]] = {}
    for block in grid.blocks.values():
        for row in gain_without_training(block.runs, records).itertuples():
            share = row.share if row.gain >= LEAST_GAIN else None
            found.setdefault((row.model, row.task), {})[row.way] = (row.accuracy, share)
    return found


def _html(text) -> Markup:
    return Markup(markdown2html(text.data))
