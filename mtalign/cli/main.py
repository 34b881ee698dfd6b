"""The `mtalign` command."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import click

from mtalign.cli.models import diagnose, list_, preflight
from mtalign.cli.warm_up import warm_up
from mtalign.config.errors import ConfigError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # full, over a quota or limit, read-only
FOLDER = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="mtalign")
def cli() -> None:
    """For which model and task do the surprising claims about RL of language models hold?

    \b
    Examples:
      mtalign study params/quick.yaml              the whole study in minutes, to reports/quick/index.html
      mtalign plan params/quick.yaml               what it would do
      mtalign diagnose --model micro-a --task logic
      mtalign list arms
    """


@cli.command()
@click.argument("grid", type=FOLDER)
@click.option("--out", type=FOLDER, help="Folder of the report.  [default: reports/<grid name>]")
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes, one core each."
)
@click.option(
    "--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where runs go."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option("--rehearse", is_flag=True, help="One rollout of each arm, with tiny models, on the CPU.")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Of training, to rehearse.")
def study(
    grid: Path, out: Path | None, workers: int, executor: str, dry_run: bool, rehearse: bool, processes: int
) -> int:
    """Complete a grid: train what is missing, execute its notebooks, make its report.

    Finished runs are found again; stop it at any time and start it again. Exit status 0 only when all was done.

    \b
    Examples:
      mtalign study params/quick.yaml
      mtalign study params/quick.yaml --out /tmp/quick --workers 4
      mtalign study params/quick.yaml --dry-run
      mtalign study params/paper.yaml --rehearse   everything once, in miniature
      mtalign study params/paper.yaml --executor ray
    """
    from mtalign.study.pipeline import run_study

    if rehearse:
        from mtalign.study.rehearsal import rehearse as write_rehearsal

        out = out or Path("reports") / f"{grid.stem}-rehearsal"
        grid = write_rehearsal(grid, out, processes)
    return _plan(grid, out, workers) if dry_run else run_study(grid, out, workers, executor)


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until it ends.")
def status(folder: Path, watch: bool) -> int:
    """How far a study is, from another terminal.

    \b
    Example:
      mtalign status reports/quick --watch
    """
    import time

    from mtalign.runs.progress import status

    while True:
        if watch:
            click.clear()
        click.echo(said := status(folder))
        if not watch or ": running;" not in said.splitlines()[0]:
            return 0
        time.sleep(2)


@cli.command()
@click.argument("grid", type=FOLDER)
@click.option("--out", type=FOLDER, help="Folder where finished runs are looked for.  [default: reports/<grid name>]")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, or a GPU: h100, h200, a100-80gb, rtx4090, ...")
def plan(grid: Path, out: Path | None, workers: int, device: str) -> int:
    """Runs, notebooks, memory, time and disk of a grid; computes nothing.

    \b
    Examples:
      mtalign plan params/quick.yaml
      mtalign plan params/paper.yaml --device h100
    """
    return _plan(grid, out, workers, device)


def _plan(path: Path, out: Path | None, workers: int, device: str = "cpu") -> int:
    from mtalign.notebook.pages import open_grid, pages
    from mtalign.records.store import Records
    from mtalign.study.cost import DEVICES
    from mtalign.study.plan import plan

    if device not in ("cpu", *DEVICES):
        raise ConfigError(f"--device: unknown device {device!r}; known: cpu, {', '.join(DEVICES)}")
    grid = open_grid(path, planned=True)
    records = Records((out or Path("reports") / grid.name) / "records")
    click.echo(plan(grid, records, workers, [page.stem for page in pages(grid)], device))
    return 0


@cli.command()
@click.argument("folder", type=FOLDER)
def report(folder: Path) -> int:
    """Make the HTML report of a study again, from its executed notebooks and records.

    \b
    Example:
      mtalign report reports/quick
    """
    from mtalign.report.site import make_report

    click.echo(f"report: {make_report(folder)}")
    return 0


@cli.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the differences as a page, too.")
def diff(a: Path, b: Path, html: Path | None) -> int:
    """Compare two studies: verdicts, numbers beyond their intervals, notebook cells. Exit status 1 where a verdict changed.

    \b
    Examples:
      mtalign diff reports/quick reports/mine
      mtalign diff reports/quick reports/mine --html diff.html
    """
    from mtalign.study.compare import compare, write_html

    found = compare(a, b)
    click.echo("\n".join(found.lines))
    if html:
        write_html(found, a, b, html)
    return int(bool(found.verdicts))


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--recompute", type=click.IntRange(min=0), default=0, help="Compute that many records again and compare.")
def verify(folder: Path, recompute: int) -> int:
    """Check that records, executed notebooks and pages of a study agree. Exit status 1 where any does not.

    \b
    Examples:
      mtalign verify reports/quick
      mtalign verify reports/study --recompute 3
    """
    from mtalign.study.verify import verify

    lines, agree = verify(folder, recompute)
    click.echo("\n".join(lines))
    return int(not agree)


@cli.command("new-notebook")
@click.argument("name")
@click.option("--reward", default="format_only", show_default=True, help="A reward of mtalign, or module:function.")
@click.option("--folder", type=FOLDER, default=Path(), help="Where it goes.  [default: here]")
def new_notebook(name: str, reward: str, folder: Path) -> int:
    """Write a notebook for a claim of your own: an arm NAME against standard RL, to fill in and run.

    \b
    Example:
      mtalign new-notebook short_answers --reward my_rewards:short_answers
    """
    from mtalign.notebook.scaffold import new_notebook

    path = new_notebook(name, reward, folder)
    click.echo(f"{path}: written; say what the claim is in its first cell, then run it: jupyter lab {path}")
    return 0


@cli.command()
@click.argument("what", type=click.Choice(["micro"]))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=FOLDER, default=Path("build/micro"), show_default=True, help="Folder of the checkpoints.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
def build(what: str, seed: int, out: Path, workers: int) -> int:
    """Pretrain the micro base models of params/models.yaml again, and compare them with those shipped.

    \b
    Example:
      mtalign build micro --seed 0
    """
    from mtalign.models.micro import build_all

    for line in build_all(seed, out, workers):
        click.echo(line)
    return 0


for command in (diagnose, preflight, warm_up, list_):
    cli.add_command(command)


def main() -> None:
    """Runs the command; bad input is one line on standard error and exit status 2."""
    try:
        status = cli(standalone_mode=False)
    except ConfigError as error:
        _stop(str(error), 2)
    except click.ClickException as error:
        _stop(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno not in DISK:
            raise
        _stop(f"{error.filename or 'disk'}: {error.strerror}; what is finished is kept", 1)
    except (KeyboardInterrupt, click.Abort):
        _stop("stopped; what is finished is kept", 130)
    sys.exit(status or 0)


def _stop(message: str, status: int) -> None:
    print(f"mtalign: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
