"""Whether a study's records, executed notebooks and pages agree with each other and with the code that is here."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

from mtalign.config.errors import ConfigError, in_one_line
from mtalign.config.grid import Grid
from mtalign.notebook.execution import checksum, made_from, stored
from mtalign.notebook.pages import grid_of, pages
from mtalign.records.store import Records
from mtalign.report.html import stamp
from mtalign.report.manifest import NAME, files, wrong_files
from mtalign.report.run_pages import csv, runs_table
from mtalign.study.again import Again, compute_again, in_words
from mtalign.study.rendering import unknown_files, wrong_again, wrong_outputs

WRONG = {  # what differs between a notebook's inputs and those here -> in words
    "records": "executed from other records",
    "code": "executed with other code of mtalign",
    "source": "executed from another source",
    "parameters": "executed with other parameters",
}


def verify(out: Path, recompute: int = 0) -> tuple[list[str], bool]:
    """Checks a study's output folder.

    Args:
        out: the output folder.
        recompute: how many records to compute again and compare bit for bit (they are equal on the machine that made them;
            another processor may round differently), and how many notebooks to execute again and compare cell by cell;
            drawn at random, others each time, so that who forges a report does not know which.

    Returns:
        Lines for people, and whether everything agrees.

    Raises:
        ConfigError: `out` is not the output folder of a study.
    """
    grid, records = grid_of(out), Records(out / "records")
    results: list[Again] = []
    parts = {
        "records": (len(grid.runs), _whatever_it_holds(wrong_records, grid, records)),
        "notebooks": (len(pages(grid)), _whatever_it_holds(wrong_notebooks, grid, records, out)),
        "pages": (
            len(pages(grid)) + 5 + len(grid.runs) * (out / "runs").is_dir(),
            _whatever_it_holds(wrong_pages, grid, records, out),
        ),
    }
    if recompute:
        chosen = _drawn(grid.runs, recompute)
        results = compute_again(chosen, records)
        unconfirmed = {f"{each.run_id} again": each.problem for each in results if each.outcome != "equal"}
        parts["recomputed"] = (len(chosen), unconfirmed)
        books = _drawn(pages(grid), recompute)
        parts["executed"] = (len(books), _whatever_it_holds(wrong_outputs, books, records.evidence(grid.runs), out))
    again, unknown = wrong_again(out), unknown_files(out, grid)
    again = {name: what for name, what in again.items() if name not in parts["pages"][1]}
    manifest = {**wrong_files(out), **{f"runs/{name}": what for name, what in wrong_files(out / "runs").items()}}
    parts["made again"] = (parts["pages"][0], again)
    parts["files"] = (len(files(out)), {**{n: w for n, w in manifest.items() if n not in unknown}, **unknown})
    lines = [f"{name:11} {max(0, size - len(wrong))} of {size} agree" for name, (size, wrong) in parts.items()]
    lines += [f"wrong: {name}: {what}" for _, wrong in parts.values() for name, what in wrong.items()]
    if said := in_words(results):
        lines.append(f"note: {said}")
    known = {f"{run.run_id}.json" for run in grid.runs}
    if others := [path for path in records.folder.glob("*.json") if path.name not in known]:
        lines.append(f"note: {len(others)} records are not of this grid, and nothing here is made from them")
    if not (out / NAME).is_file():
        lines.append(f"note: there is no {NAME}, which `mtalign report` writes")
    agree = not any(wrong for _, wrong in parts.values())
    done = {name: parts.get(name, (0,))[0] for name in ("recomputed", "executed")}
    lines.append(_what_it_says(agree, done["recomputed"], len(grid.runs), done["executed"], len(pages(grid))))
    return list(map(_in_print, lines)), agree


def _in_print(line: str) -> str:
    """On one line of the terminal: names of files are not ours."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def _drawn(all_: list, number: int) -> list:
    return random.SystemRandom().sample(all_, min(number, len(all_)))


def _whatever_it_holds(check: Callable[..., dict[str, str]], *arguments) -> dict[str, str]:
    """What a check finds wrong; where a file is so odd that the check itself fails, that."""
    try:
        return check(*arguments)
    except Exception as error:  # a record whose checksum is right, and whose content is anything
        return {check.__name__.removeprefix("wrong_"): f"cannot be checked: {in_one_line(error, 200)}"}


def _what_it_says(agree: bool, computed: int, runs: int, executed: int, books: int) -> str:
    """What the checks can and cannot tell."""
    if not agree:
        return "not complete and consistent"
    said = f"complete and consistent; {computed} of {runs} records were computed again, {executed} of {books} notebooks executed again"
    if (computed, executed) == (runs, books):
        return said
    return f"{said}: whether the others are what computing and executing give is not known (--recompute)"


def wrong_records(grid: Grid, records: Records) -> dict[str, str]:
    """Records that are missing, damaged, made with other versions than the rest, or trained from another base."""
    finished, wrong = {}, {}
    for run in grid.runs:
        name = f"records/{run.run_id}.json"
        try:
            record = records.read(run)
        except ConfigError as error:
            wrong[name] = str(error).split(": ", 1)[1]
            continue
        if record is None:
            wrong[name] = "missing"
        elif record["status"] != "finished":
            wrong[name] = f"failed: {record['reason']}"
        else:
            finished[run] = record
    versions = {run: _versions(record) for run, record in finished.items()}
    usual = max(versions.values(), key=list(versions.values()).count, default="")
    for run, record in finished.items():
        base = finished.get(run.base)
        if versions[run] != usual:
            wrong[f"records/{run.run_id}.json"] = f"made with {versions[run]}, most others with {usual}"
        elif base and any(base["after"].get(key) != value for key, value in record["before"].items()):
            wrong[f"records/{run.run_id}.json"] = "`before` is not what the base's record says"
    return wrong


def _versions(record: dict) -> str:
    return ", ".join(f"{name} {value.partition('+')[0]}" for name, value in sorted(record["versions"].items()))


def wrong_notebooks(grid: Grid, records: Records, out: Path) -> dict[str, str]:
    """Executed notebooks that are missing, were changed since, or are not what the records and the code here give."""
    wrong, evidence = {}, records.evidence(grid.runs)
    for page in pages(grid):
        executed = out / f"{page.stem}.ipynb"
        metadata, wanted = stored(executed), made_from(page, evidence)
        inputs = metadata.get("made_from") or {}
        different = [words for name, words in WRONG.items() if inputs.get(name) != wanted[name]]
        if not executed.is_file():
            wrong[executed.name] = "missing"
        elif not inputs:
            wrong[executed.name] = "does not say what it was executed from"
        elif _cells_digest(executed) != metadata.get("checksum"):
            wrong[executed.name] = "changed since it was executed"
        elif different:
            wrong[executed.name] = ", ".join(different)
    return wrong


def _cells_digest(executed: Path) -> str:
    try:
        return checksum(json.loads(executed.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def wrong_pages(grid: Grid, records: Records, out: Path) -> dict[str, str]:
    """Pages that are missing, were changed since, or were made from another notebook or record than those here."""
    sources = {f"{page.stem}.html": _digest(out / f"{page.stem}.ipynb") for page in pages(grid)}
    if (out / "runs").is_dir():  # where it is not, as in a commit, `mtalign report --run-pages` makes these pages
        sources |= {f"runs/{run.run_id}.html": records.evidence([run, run.base]) for run in grid.runs}
    sources |= dict.fromkeys(
        ("index.html", "claims.html", "predictions.html", "runs.html"), records.evidence(grid.runs)
    )
    wrong = {}
    for name, source in sources.items():
        if not (out / name).is_file():
            wrong[name] = "missing"
            continue
        stamped, whole = stamp(out / name)
        if stamped != source:
            wrong[name] = "made from something else than what is here"
        elif not whole:
            wrong[name] = "changed since it was made"
    try:
        table = csv(runs_table([record for run in grid.runs if (record := records.read(run))]))
        if not (out / "runs.csv").is_file() or (out / "runs.csv").read_bytes() != table:
            wrong["runs.csv"] = "is not what the records give"
    except ConfigError:
        wrong["runs.csv"] = "cannot be checked: a record is damaged"
    return wrong


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
