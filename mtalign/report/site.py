"""The report: executed notebooks and records -> a static site that opens from disk and asks nothing of the network."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mtalign.config.errors import ConfigError, in_one_line
from mtalign.notebook.execution import made_from, stored
from mtalign.notebook.pages import grid_of, pages
from mtalign.records.store import Records
from mtalign.report import html, made
from mtalign.report.index import contents
from mtalign.report.manifest import write_manifests
from mtalign.report.run_pages import write_run_pages
from mtalign.tasks.registry import load_task


def make_report(out: str | Path, seconds: float | None = None, run_pages: bool = False) -> Path:
    """Writes `index.html`, pages of executed notebooks, of the paper's claims and of predictions, and the table of runs; returns the index.

    Args:
        out: the output folder of a study.
        seconds: what the study took that has just been made; None where a report is only drawn again, and keeps what was
            said of its making.
        run_pages: whether each run gets a page too, which takes the place of a page a run: a commit is better off without.

    Raises:
        ConfigError: `out` is not the output folder of a study, or a task of it cannot be had; nothing is written then.
    """
    out = Path(out)
    grid, records = grid_of(out), Records(out / "records")
    for task in dict.fromkeys(task for _, task in grid.pairs):
        load_task(task)  # one that cannot be had is said before a page is written
    if seconds is not None:
        made.keep(out, f"mtalign study params/{grid.name}.yaml", seconds)
    templates, evidence = html.templates(), records.evidence(grid.runs)
    links: dict[str, dict[str, str | None]] = {}
    for page in pages(grid):
        executed = out / f"{page.stem}.ipynb"
        where = page.title.partition(": ")[2] or page.title
        links.setdefault(page.source.stem, {})[where] = page.stem if executed.is_file() else None
        if not executed.is_file():
            executed.with_suffix(".html").unlink(missing_ok=True)
            continue
        older = stored(executed).get("made_from") != made_from(page, evidence)
        try:
            body, toc = html.notebook_body(executed)
        except Exception as error:  # half-written, nested without end, or no notebook
            raise ConfigError(
                f"{executed}: cannot be shown: {in_one_line(error, 200)}; delete it to execute it again"
            ) from None
        digest = hashlib.sha256(executed.read_bytes()).hexdigest()
        text = templates.get_template("notebook.html").render(
            body=body, contents=toc, page=page, grid=grid, older=older, made_from=digest
        )
        html.write(out / f"{page.stem}.html", text)
    shown = contents(grid, records, out)
    write_run_pages(grid, records, out, templates, shown["runs"], run_pages)
    for name in ("claims.html", "predictions.html", "index.html"):
        text = templates.get_template(name).render(links=links, made=made.kept(out), made_from=evidence, **shown)
        html.write(out / name, text)
    write_manifests(out)
    return out / "index.html"
