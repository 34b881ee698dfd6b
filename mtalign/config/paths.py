"""Where the package's files lie: beside the code in a checkout, inside the package in a wheel."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKPOINTS = PACKAGE / "checkpoints"


def shared(folder: str) -> Path:
    """The folder `notebooks` or `params`: of the checkout where there is one, else of the installed package."""
    checkout = PACKAGE.parent / folder
    return (
        checkout
        if (PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir()
        else PACKAGE / "_shared" / folder
    )


def given(path: str | Path) -> Path:
    """A path that a person gave; a relative one starts where the study was started, in its notebooks too."""
    return Path(os.environ.get("MTALIGN_STARTED_IN", "."), path)


def cache() -> Path:
    """The folder of converted models: `MTALIGN_CACHE`, else the user cache."""
    if folder := os.environ.get("MTALIGN_CACHE"):
        return given(folder)
    import platformdirs

    return platformdirs.user_cache_path("mtalign")
