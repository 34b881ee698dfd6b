"""The `mtalign` command."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import NoReturn

import click

from mtalign.cli.export import export, open_
from mtalign.cli.lists import list_
from mtalign.cli.models import diagnose, preflight
from mtalign.cli.places import GRID, grid_file, init
from mtalign.cli.reports import as_json, claims, diff, report, status, verify
from mtalign.cli.stopping import Stop
from mtalign.cli.warm_up import warm_up
from mtalign.config.errors import ConfigError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # full, over a quota or limit, read-only
LONGEST = 1500  # characters of the one line; names in it are not ours
FOLDER = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="mtalign")
@click.option("--quiet", "-q", is_flag=True, help="No progress: results and errors alone.")
def cli(quiet: bool) -> None:
    """For which model and task do the surprising claims about RL of language models hold?

    \b
    Examples:
      mtalign study params/quick.yaml              the whole study in minutes, to reports/quick/index.html
      mtalign plan quick                           what it would do; grids of the package are known by name
      mtalign diagnose --model micro-a --task logic
      mtalign list arms

    \b
    Exit status:
      0    all that was asked for was done
      1    something failed or differs: a run, a notebook, a check, a verdict; or the disk is full
      2    bad input: one line says which file and key; nothing was computed
      130  stopped by Ctrl-C; what is finished is kept

    Shell completion: put `eval "$(_MTALIGN_COMPLETE=bash_source mtalign)"` into ~/.bashrc (zsh_source, fish_source). Nothing is
    printed in colour. Where standard error is no terminal, progress is a line every 30 seconds.
    """
    if quiet:
        from mtalign.config.bar import be_quiet

        be_quiet()


@cli.command()
@click.argument("grid", type=GRID)
@click.option("--out", type=FOLDER, help="Folder of the report.  [default: reports/<grid name>]")
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes, one core each."
)
@click.option(
    "--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where runs go."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option(
    "--finished-only", is_flag=True, help="Train nothing: notebooks and report of the runs that are finished."
)
@click.option("--rehearse", is_flag=True, help="One rollout of each arm, with tiny models, on the CPU.")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Of training, to rehearse.")
def study(
    grid: Path,
    out: Path | None,
    workers: int,
    executor: str,
    dry_run: bool,
    finished_only: bool,
    rehearse: bool,
    processes: int,
) -> int:
    """Complete a grid: train what is missing, execute its notebooks, make its report.

    Finished runs are found again; stop it at any time and start it again. Exit status 0 only when all was done.

    \b
    Examples:
      mtalign study params/quick.yaml
      mtalign study quick                          the same from any folder: a grid of the package, by its name
      mtalign study params/quick.yaml --out /tmp/quick --workers 4
      mtalign study params/quick.yaml --dry-run
      mtalign study params/map.yaml --finished-only    what a long grid says so far
      mtalign study params/paper.yaml --rehearse   everything once, in miniature
      mtalign study params/paper.yaml --executor ray
    """
    from mtalign.study.pipeline import run_study

    grid = grid_file(grid)
    if rehearse:
        from mtalign.study.rehearsal import rehearse as write_rehearsal

        out = out or Path("reports") / f"{grid.stem}-rehearsal"
        grid = write_rehearsal(grid, out, processes)
    return _plan(grid, out, workers) if dry_run else run_study(grid, out, workers, executor, finished_only)


@cli.command()
@click.argument("grid", type=GRID)
@click.option("--out", type=FOLDER, help="Folder where finished runs are looked for.  [default: reports/<grid name>]")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, or a GPU: h100, h200, a100-80gb, rtx4090, ...")
@as_json("plan")
def plan(grid: Path, out: Path | None, workers: int, device: str, as_json: bool) -> int:
    """Runs, notebooks, memory, time and disk of a grid; computes nothing.

    \b
    Examples:
      mtalign plan params/quick.yaml
      mtalign plan params/paper.yaml --device h100
    """
    return _plan(grid_file(grid), out, workers, device, as_json)


def _plan(path: Path, out: Path | None, workers: int, device: str = "cpu", as_json: bool = False) -> int:
    from mtalign.notebook.pages import open_grid, pages
    from mtalign.records.store import Records
    from mtalign.study.cost import DEVICES
    from mtalign.study.plan import plan

    if device not in ("cpu", *DEVICES):
        raise ConfigError(f"--device: unknown device {device!r}; known: cpu, {', '.join(DEVICES)}")
    grid = open_grid(path, planned=True)
    records = Records((out or Path("reports") / grid.name) / "records")
    stems = [page.stem for page in pages(grid)]
    said = plan(grid, records, workers, stems, device)
    if as_json:
        missing = [run.run_id for run in grid.runs if not records.finished(run)]
        found = {"grid": grid.name, "runs": len(grid.runs), "missing": missing, "notebooks": stems}
        said = json.dumps(found | {"lines": said.splitlines()}, indent=2)
    click.echo(said)
    return 0


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


for command in (status, report, claims, diff, verify, diagnose, preflight, warm_up, list_, init, export, open_):
    cli.add_command(command)


def main() -> None:
    """Runs the command; bad input is one line on standard error and exit status 2."""
    with Stop() as stop:
        status = _run(stop)
    sys.exit(stop.status or status or 0)


def _run(stop: Stop) -> int:
    try:
        return cli(standalone_mode=False)
    except ConfigError as error:
        _stop(str(error), 2)
    except click.ClickException as error:
        _stop(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno not in DISK:
            raise
        _stop(f"{error.filename or 'disk'}: {error.strerror}; what is finished is kept", 1)
    except (KeyboardInterrupt, click.Abort):
        _stop("stopped; what is finished is kept", stop.status or 130)


def _stop(message: str, status: int) -> NoReturn:
    shown = "".join(sign if sign.isprintable() else "?" for sign in " ".join(message.split()))
    print(f"mtalign: {shown if len(shown) <= LONGEST else shown[:LONGEST] + '...'}", file=sys.stderr)
    sys.exit(status)
