"""The subcommands that hand things on: `export` and `open`."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
from pathlib import Path

import click

from mtalign.config import paths
from mtalign.config.errors import ConfigError

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("what", type=click.Choice(["zip", "page", "dataset", "model"]))
@click.argument("source")
@click.option("--to", type=FOLDER, help="Where it goes.  [default: beside here, by the name of SOURCE]")
def export(what: str, source: str, to: Path | None) -> int:
    """Write something to hand on; nothing is sent anywhere.

    \b
    zip      a report, with its manifest and the citation, as one file
    page     one executed notebook as a page that loads nothing from the network
    dataset  a report's records with a card, as a folder for `hf upload --repo-type dataset`
    model    a shipped micro model with a card, as a folder for `hf upload`

    \b
    Examples:
      mtalign export zip reports/quick
      mtalign export page out.ipynb --to out.html
      mtalign export dataset reports/quick --to quick-records
      mtalign export model dose-0.40
    """
    from mtalign.report import export as writes

    name = Path(source).stem if what == "page" else Path(source).name
    to = to or Path(
        {"zip": f"{name}.zip", "page": f"{name}.html", "dataset": f"{name}-records", "model": f"{name}-model"}[what]
    )
    if what == "zip":
        click.echo(f"{to}: {writes.write_zip(Path(source), to)} files")
    elif what == "page":
        writes.write_page(Path(source), to)
        click.echo(f"{to}: written")
    elif what == "dataset":
        click.echo(
            f"{to}: {writes.write_data_card(Path(source), to)} records; push it by `hf upload --repo-type dataset NAME {to}`"
        )
    else:
        writes.write_model_card(source, to)
        click.echo(f"{to}: written; push it by `hf upload NAME {to}`")
    return 0


@click.command("open")
@click.argument("what", default="notebooks")
@click.option("--print", "only_print", is_flag=True, help="Say what would be opened, and stop.")
def open_(what: str, only_print: bool) -> int:
    """Open a report's index in the browser, or a notebook in JupyterLab.

    WHAT is the folder of a report, a page, a notebook by its path or by the name of one of ours, or a folder of notebooks.

    \b
    Examples:
      mtalign open reports/quick
      mtalign open 08_dose_response
      mtalign open out.ipynb
    """
    path = found(what)
    if path.suffix == ".html":
        click.echo(f"page: {path}")
        if not only_print and not webbrowser.open(path.resolve().as_uri()):
            raise ConfigError(f"{path}: no browser can be started here; open the file yourself")
        return 0
    installed = paths.PACKAGE in path.resolve().parents
    click.echo(f"JupyterLab: {path}{' (of the package; `mtalign init DIR` copies them, to be changed)' * installed}")
    return 0 if only_print else subprocess.run([sys.executable, "-m", "jupyterlab", str(path)], check=False).returncode


def found(what: str) -> Path:
    """The page, notebook or folder that is meant.

    Raises:
        ConfigError: there is no such thing.
    """
    path = Path(what)
    if path.is_dir():
        if (path / "index.html").is_file():
            return path / "index.html"
        if any(path.glob("*.grid.yaml")):
            raise ConfigError(f"{path}: has no index.html yet; make it by `mtalign report {path}`")
        if any(path.glob("*.ipynb")):
            return path
        raise ConfigError(f"{path}: neither a report nor a folder of notebooks")
    if path.is_file():
        if path.suffix in (".html", ".ipynb"):
            return path
        raise ConfigError(f"{path}: expected a page (.html) or a notebook (.ipynb)")
    own = paths.shared("notebooks")
    if what == "notebooks":
        return own
    if (own / f"{what}.ipynb").is_file() and path.name == what:
        return own / f"{what}.ipynb"
    known = ", ".join(sorted(p.stem for p in own.glob("*.ipynb")))
    raise ConfigError(f"{what}: there is no such file; notebooks of ours: {known}")
