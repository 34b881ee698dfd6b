"""Where the package's files lie: beside the code in a checkout, inside the package in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKPOINTS = PACKAGE / "checkpoints"


def shared(folder: str) -> Path:
    """The folder `notebooks` or `params`: of the checkout where there is one, else of the installed package."""
    checkout = PACKAGE.parent / folder
    return (
        checkout
        if (PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir()
        else PACKAGE / "_shared" / folder
    )
