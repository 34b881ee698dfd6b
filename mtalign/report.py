"""The report: executed notebooks and records -> a static site that opens from disk and asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from markupsafe import Markup

from mtalign import dose_response as dose_responses
from mtalign import figures, pages, paths, recipes, story, study
from mtalign.claims import CLAIMS, STRONG, THRESHOLD, alignment, arm_accuracy, panel
from mtalign.execution import made_from, stored
from mtalign.grids import Grid
from mtalign.models import is_shipped
from mtalign.records import Records
from mtalign.run_pages import runs_table, write_run_pages
from mtalign.study import grid_of


def make_report(out: str | Path, seconds: float | None = None) -> Path:
    """Writes `index.html`, a page for each executed notebook and each run, and a table of runs; returns the index.

    Args:
        out: the output folder of a study.
        seconds: what the study took, where it is known.

    Raises:
        ConfigError: `out` is not the output folder of a study.
    """
    out = Path(out)
    grid, records = grid_of(out), Records(out / "records")
    templates, evidence = pages.templates(), records.evidence(grid.runs)
    links: dict[str, dict[str, str | None]] = {}
    for page in study.pages(grid):
        executed = out / f"{page.stem}.ipynb"
        where = page.title.partition(": ")[2] or page.title
        links.setdefault(page.source.stem, {})[where] = page.stem if executed.is_file() else None
        if not executed.is_file():
            executed.with_suffix(".html").unlink(missing_ok=True)
            continue
        older = stored(executed).get("made_from") != made_from(page, evidence)
        body, toc = pages.notebook_body(executed)
        made = hashlib.sha256(executed.read_bytes()).hexdigest()
        html = templates.get_template("notebook.html").render(
            body=body, contents=toc, page=page, grid=grid, older=older, made_from=made
        )
        pages.write(out / f"{page.stem}.html", html)
    shown = contents(grid, records, out)
    write_run_pages(grid, records, out, templates, shown["runs"])
    index = templates.get_template("index.html").render(links=links, seconds=seconds, made_from=evidence, **shown)
    pages.write(out / "index.html", index)
    return out / "index.html"


def contents(grid: Grid, records: Records, out: Path) -> dict:
    """What the index shows, from the records alone; draws `headline.png`."""
    found = [(run, records.read(run)) for run in grid.runs]
    finished = [record for _, record in found if record and record["status"] == "finished"]
    headline = grid.block({}).runs
    bars = arm_accuracy(headline, records, by_panel=True)
    draw(figures.accuracy_bars(bars), out / "headline.png")
    dose_response = None
    if len({run.model for run in headline}) > 2:
        shares = dose_responses.shares(headline, records)
        flips = dose_responses.flips(shares) if len(shares) else shares
        draw(figures.dose_response(shares, "chance-corrected pass@4", flips), out / "dose_response.png")
        text = "; ".join(
            f"{r.arm} crosses one half at {r.flip:.2f}, {r.low:.2f} to {r.high:.2f}" for r in flips.itertuples()
        )
        dose_response = embed((out / "dose_response.png").read_bytes(), f"Share recovered against alignment. {text}")
    levels = {
        (r["config"]["model"], r["config"]["task"]): alignment(r) for r in finished if r["config"]["arm"] == "base"
    }
    runs = runs_table([record for _, record in found if record])
    return {
        "grid": grid,
        "headline": embed((out / "headline.png").read_bytes(), headline_text(bars)),
        "dose_response": dose_response,
        "bars": bars.to_dict("records"),
        "tables": story.verdict_tables(grid, records),
        "paired": story.paired(grid, records),
        "sentences": story.sentences(grid, records),
        "levels": levels,
        "micro": all(is_shipped(model) for model, _ in grid.pairs),
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
        "deviations": list(dict.fromkeys(line for record in finished for line in record.get("deviations", []))),
        "settings": recipes.table(grid.runs),
        "run_seconds": sum(record["seconds"] for record in finished),
        "commit": commit(),
        "threshold": THRESHOLD,
        "strong": STRONG,
        "panel": panel,
        "label": lambda arm: figures.label(arm).replace("\n", " "),
    }


def headline_text(bars: pd.DataFrame) -> str:
    """The headline picture in words, for those who do not see it."""
    parts = []
    for name, rows in bars.groupby("panel"):
        values = ", ".join(f"{figures.label(r.arm)} {r.value:.2f}".replace("\n", " ") for r in rows.itertuples())
        parts.append(f"{name}: {values}")
    return "Accuracy on held-out prompts. " + "; ".join(parts)


def draw(figure, path: Path) -> None:
    """Writes the figure as a picture, and forgets it."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=130, format="png")
    pages.put(path, picture.getvalue())
    plt.close(figure)


def embed(png: bytes, text: str) -> Markup:
    """The picture inside the page, with its alternative text."""
    return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(base64.b64encode(png).decode(), text)


def commit() -> str:
    """The commit of the checkout this runs from; "installed package" where there is none."""
    command = ["git", "-C", str(paths.PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=12"]
    if not (paths.PACKAGE.parent / ".git").exists():
        return "installed package"
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
