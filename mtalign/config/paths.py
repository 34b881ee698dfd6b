"""Where the package's files lie: beside the code in a checkout, inside the package in a wheel."""

from __future__ import annotations

import os
import tempfile
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


def write_whole(path: str | Path, content: str | bytes, sync: bool = False) -> None:
    """Writes a file so that a reader, or a kill at any moment, finds the old one or the whole new one.

    Args:
        content: bytes, or text that is written as UTF-8.
        sync: whether it must outlive a loss of power too, which costs milliseconds: what took minutes to compute.
    """
    path = Path(path)
    data = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
