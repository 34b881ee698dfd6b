"""Where things are for a command: grid files by path or by name, and a folder to work in."""

from __future__ import annotations

import shutil
from difflib import get_close_matches
from pathlib import Path

import click

from mtalign.config import paths
from mtalign.config.errors import ConfigError

GRID = click.Path(path_type=Path)


def grid_file(given: Path) -> Path:
    """The grid file of a path; where there is none, that of the package called so: `quick`.

    Raises:
        ConfigError: there is neither; the nearest names of the package's own are said.
    """
    if given.exists():
        return given
    own = {path.stem: path for path in paths.shared("params").glob("*.yaml")}
    if given.name == str(given) and given.name in own:
        return own[given.name]
    near = get_close_matches(given.stem, own, 1, 0.6)
    hint = f"; the package brings `{near[0]}`: give it by this name" if near else "; `mtalign list grids` names our own"
    raise ConfigError(f"{given}: cannot be read: No such file or directory{hint}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> int:
    """Copy the notebooks and the grid files to FOLDER, to read and to change.

    \b
    Example:
      mtalign init mine && cd mine && mtalign study params/tiny.yaml
    """
    there = [folder / name for name in ("notebooks", "params") if (folder / name).exists()]
    if there:
        raise ConfigError(f"{there[0]}: is there already; nothing was written")
    for name in ("notebooks", "params"):
        ignored = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
        try:
            shutil.copytree(paths.shared(name), folder / name, ignore=ignored)
        except shutil.Error as error:
            raise ConfigError(f"{folder / name}: cannot be written: {error.args[0][0][2]:.120}") from None
    click.echo(
        f"{folder}: notebooks/ and params/ written. A grid file names a changed notebook by its path:"
        " `notebooks: {each: {notebooks/02_reward_signal.ipynb: {}}}`"
    )
    return 0
