"""A claim notebook of one's own, to fill in."""

from __future__ import annotations

import re
from pathlib import Path

from mtalign.config import paths, plugins
from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError
from mtalign.config.run import make_run


def new_notebook(name: str, reward: str, folder: Path) -> Path:
    """Writes `<folder>/<name>.ipynb`: the arm `name` against standard RL, with a claim about it.

    Args:
        name: of the arm and the claim, for instance `short_answers`.
        reward: a reward of mtalign, or `module:function`.
        folder: where the notebook goes; a module of one's own is found beside it.

    Raises:
        ConfigError: the name is no identifier or taken, the reward is unknown, or the file is there already.
    """
    if not re.fullmatch(r"[a-z]\w*", name) or name in ARMS:
        raise ConfigError(f"new-notebook: name: expected a new name of small letters, digits and _, got {name!r}")
    if not plugins.is_plugin(reward):  # a module may still have to be written
        make_run("new-notebook", {"model": "micro-a", "task": "ordering", "reward": reward})
    path = folder / f"{name}.ipynb"
    if path.exists():
        raise ConfigError(f"{path}: is there already")
    template = (paths.PACKAGE / "templates" / "claim.ipynb").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(template.replace("NAME", name).replace("REWARD", reward), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return path
