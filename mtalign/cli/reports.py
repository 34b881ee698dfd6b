"""The subcommands about the output folder of a study: `status`, `report`, `claims`, `verify` and `diff`."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import click

from mtalign.config.grid import kept_grid

FOLDER = click.Path(path_type=Path)


class _Study(click.Path):
    """The output folder of a study, which is asked for before seconds are spent on imports."""

    def convert(self, value, param, ctx):
        folder = super().convert(value, param, ctx)
        kept_grid(folder)
        return folder


STUDY = _Study(path_type=Path)


def as_json(name: str):
    """The option `--json` of a subcommand whose output the schema `name` describes."""
    return click.option(
        "--json", "as_json", is_flag=True, help=f"Print JSON, as `mtalign list schema {name}` describes it."
    )


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until it ends.")
@as_json("status")
def status(folder: Path, watch: bool, as_json: bool) -> int:
    """How far a study is, from another terminal.

    \b
    Examples:
      mtalign status reports/quick --watch
      mtalign status reports/quick --json
    """
    from mtalign.runs.progress import in_words, state

    while True:
        found = state(folder)
        if watch and not as_json:
            click.clear()
        click.echo(json.dumps(found, allow_nan=False) if as_json else in_words(found))
        if not watch or found["status"] != "running":
            return 0
        time.sleep(2)


@click.command()
@click.argument("folder", type=STUDY)
@click.option("--run-pages", is_flag=True, help="Make a page for each run, too: its curves and ten completions.")
def report(folder: Path, run_pages: bool) -> int:
    """Make the HTML report of a study again, from its executed notebooks and records; its tasks must be at hand, its models need not.

    \b
    Examples:
      mtalign report reports/quick
      mtalign report reports/quick --run-pages     reports/quick/runs.html then leads to a page for each run
    """
    from mtalign.report.site import make_report

    click.echo(f"report: {make_report(folder, run_pages=run_pages)}")
    return 0


@click.command()
@click.argument("a", type=STUDY)
@click.argument("b", type=STUDY)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the differences as a page, too.")
@as_json("diff")
def diff(a: Path, b: Path, html: Path | None, as_json: bool) -> int:
    """Compare two studies: verdicts, numbers beyond their intervals, notebook cells. Exit status 1 where a verdict changed.

    \b
    Examples:
      mtalign diff reports/quick reports/mine
      mtalign diff reports/quick reports/mine --html diff.html
    """
    from mtalign.study.compare import compare, write_html

    found = compare(a, b)
    click.echo(json.dumps(dataclasses.asdict(found), indent=2) if as_json else "\n".join(found.lines))
    if html:
        write_html(found, a, b, html)
    return int(bool(found.verdicts))


@click.command()
@click.argument("folder", type=STUDY)
@click.option(
    "--recompute",
    type=click.IntRange(min=0),
    default=0,
    help="Compute that many records and execute that many notebooks again, and compare.",
)
@as_json("verify")
def verify(folder: Path, recompute: int, as_json: bool) -> int:
    """Check that records, executed notebooks and pages of a study agree. Exit status 1 where any does not.

    \b
    Examples:
      mtalign verify reports/quick
      mtalign verify reports/study --recompute 3
    """
    from mtalign.study.verify import verify

    lines, agree = verify(folder, recompute)
    click.echo(json.dumps({"agree": agree, "lines": lines}, indent=2) if as_json else "\n".join(lines))
    return int(not agree)


@click.command()
@click.argument("folders", type=STUDY, nargs=-1, required=True)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write them as a page, too.")
def claims(folders: tuple[Path, ...], html: Path | None) -> int:
    """What the records of one or several studies say of the paper's claims, P1 to P14.

    \b
    Example:
      mtalign claims reports/study reports/small --html claims.html
    """
    from mtalign.report.paper import of_reports, write

    rows = of_reports(list(folders))
    last = ""
    for row in rows:
        if row["claim"] != last:
            click.echo(f"{row['claim']}  {row['words']}")
        last = row["claim"]
        said = "; ".join(part for part in (row["numbers"], row["because"]) if part)
        click.echo(f"     {row['models']}: {row['outcome']}{'; ' * bool(said)}{said}")
    if html:
        write(rows, html)
    return 0
