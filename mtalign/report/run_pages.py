"""A page for each run, and the table of all runs: from records, without the network."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import jinja2
import pandas as pd

from mtalign.config.grid import Grid
from mtalign.config.paths import write_whole
from mtalign.notebook.palette import label
from mtalign.records.store import Records
from mtalign.records.tables import frame
from mtalign.report import html

COLUMNS = ["model", "task", "arm", "seed", "status", "accuracy_before", "accuracy", "greedy", "thinking", "seconds"]
METRICS = ["accuracy", "greedy", "thinking", "pass@4", "pass@16", "pass@64", "maj@4", "maj@16", "maj@64"]
SHOWN = 200  # rows of the table of runs at once; its script has the others
CUT = 600  # characters of a completion that are shown
CHARTS = [["accuracy", "reward", "thinking", "clip_fraction"], ["entropy"]]
STYLE = "style.css"
WIDTH, HEIGHT, LEFT, TOP = 590, 130, 40, 10  # of the area that lines are drawn in


def write_run_pages(
    grid: Grid, records: Records, out: Path, templates: jinja2.Environment, rows: list[dict], each: bool
) -> None:
    """Writes `runs.html` and `runs.csv`; where `each`, `runs/<run_id>.html` too, with the style that they link.

    Args:
        rows: as `runs_table` gives them, of all runs of the grid that have a record.
        each: where not, pages of runs that are there are deleted: nothing would lead to them, and they would grow old.
    """
    if each:
        _write_each(grid, records, out, templates, rows)
    elif (out / "runs").is_dir():
        for older in [*(out / "runs").glob("*.html"), out / "runs" / STYLE]:
            older.unlink(missing_ok=True)
        if not any((out / "runs").iterdir()):
            (out / "runs").rmdir()
    text = templates.get_template("runs.html").render(
        grid=grid, rows=rows, shown=SHOWN, columns=COLUMNS, script="runs", pages=each, label=label,
        made_from=records.evidence(grid.runs),
    )  # fmt: skip
    html.write(out / "runs.html", text)
    write_whole(out / "runs.csv", csv(rows))


def _write_each(grid: Grid, records: Records, out: Path, templates: jinja2.Environment, rows: list[dict]) -> None:
    (out / "runs").mkdir(exist_ok=True)
    write_whole(out / "runs" / STYLE, templates.globals["style"].encode())  # once, not in each of many pages
    template, names = templates.get_template("run.html"), set()
    by_id = {row["run_id"]: row for row in rows}
    for run in grid.runs:
        if not (record := records.read(run)):
            continue
        names.add(f"{run.run_id}.html")
        made_from = records.evidence([run, run.base])
        page = run_page(record, by_id[run.run_id], records.read(run.base))
        text = template.render(page, grid=grid, made_from=made_from, linked_style=STYLE)
        html.write(out / "runs" / f"{run.run_id}.html", text)
    for older in (out / "runs").glob("*.html"):
        if older.name not in names:
            older.unlink()


def runs_table(found: list[dict]) -> list[dict]:
    """A row for each record: `records.frame`, with at least the columns `run_id` and `COLUMNS`."""
    table = frame(found)
    return table.reindex(columns=list(dict.fromkeys(["run_id", *COLUMNS, *table.columns]))).to_dict("records")


def csv(rows: list[dict]) -> bytes:
    """The rows for spreadsheets; text that they would take for a formula gets a leading apostrophe."""

    def plain(value):
        text = value.encode("utf-8", errors="replace").decode() if isinstance(value, str) else value
        return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@") else text

    table = pd.DataFrame([{key: plain(value) for key, value in row.items()} for row in rows], dtype=object)
    return table.to_csv(index=False).encode()


def run_page(record: dict, row: dict, base: dict | None) -> dict:
    """What the page of one run shows.

    Args:
        record: finished or failed.
        row: its row of `runs_table`.
        base: the record of the untrained model, which holds its completions.
    """
    shown = {"id": record["run_id"], "record": record, "config": record["config"], "cut": CUT}
    shown["label"] = label
    if record["status"] != "finished":
        return shown
    metrics = [name for name in METRICS if name in row and row[name] == row[name]]
    table = {"before": {n: row[f"{n}_before"] for n in metrics}, "after": {n: row[n] for n in metrics}}
    if not record["config"]["max_steps"]:
        table = {"untrained": table["after"]}
    samples = [found["after"].get("samples", []) for found in (base or record, record)]
    curve = record.get("curve") or {"step": []}
    return shown | {
        "metrics": metrics,
        "table": table,
        "samples": list(zip(*samples, strict=False)),
        "charts": [chart(curve, names) for names in CHARTS if len(curve["step"]) > 1],
    }


def chart(curve: dict[str, list], names: list[str]) -> dict:
    """Lines of a learning curve as SVG paths, with the chart in words; shares are drawn from 0 to 1.

    A line that is equal to an earlier one is named with it; points within a level stretch are left out.

    >>> found = chart({"step": [1, 3], "reward": [0.0, 1.0]}, ["reward"])
    >>> found["lines"][0]["path"], found["text"]
    ('M40 140l590-130', 'reward from 0.00 to 1.00, over updates 1 to 3')
    """
    values = {n: [float("nan") if v is None else v for v in curve[n]] for n in names if n in curve}
    finite = [v for vs in values.values() for v in vs if math.isfinite(v)] or [0.0]
    low, high = min(0.0, *finite), max(1.0 if len(names) > 1 else 0.0, *finite)
    first, last = curve["step"][0], curve["step"][-1]
    lines: dict[str, str] = {}  # path -> name
    for name, found in values.items():
        points = [
            (LEFT + round(WIDTH * (step - first) / max(last - first, 1)),
             TOP + round(HEIGHT * (high - v) / ((high - low) or 1)))
            for step, v in zip(curve["step"], found, strict=True) if math.isfinite(v)
        ]  # fmt: skip
        level = {
            i
            for i, (a, b, c) in enumerate(zip(points, points[1:], points[2:], strict=False), 1)
            if a[1] == b[1] == c[1]
        }
        points = [point for i, point in enumerate(points) if i not in level]
        if points:
            steps = [f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(points)]
            path = f"M{points[0][0]} {points[0][1]}" + (f"l{' '.join(steps)}".replace(" -", "-") if steps else "")
            lines[path] = f"{lines[path]} and {name}" if path in lines else name
    ends = [f"{name} from {vs[0]:.2f} to {vs[-1]:.2f}" for name, vs in values.items() if math.isfinite(vs[0] + vs[-1])]
    text = f"{', '.join(ends)}, over updates {first} to {last}".replace("_", " ")
    shown = [{"path": path, "name": name.replace("_", " ")} for path, name in lines.items()]
    return {"lines": shown, "text": text, "low": f"{low:.2g}", "high": f"{high:.2g}", "first": first, "last": last}
