"""What a report was made with: kept beside it, so that drawing it again elsewhere does not change what is said of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.paths import write_whole

FILE = "made.json"
KEYS = ("commit", "command", "seconds")
UNKNOWN = {"commit": "not kept", "command": "", "seconds": None}


def keep(out: Path, command: str, seconds: float) -> None:
    """Writes down the commit, the command and its seconds, of the study that has just been made."""
    made = {"commit": commit(), "command": command, "seconds": round(seconds)}
    write_whole(out / FILE, json.dumps(made, indent=1) + "\n")


def kept(out: Path) -> dict:
    """What `keep` wrote; of a report that has nothing of it, that it was not kept.

    Raises:
        ConfigError: the file is not one of ours.
    """
    path = out / FILE
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return dict(UNKNOWN)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); delete it, and `mtalign study` writes it again") from None
    if not isinstance(made, dict) or set(made) != set(KEYS):
        raise ConfigError(f"{path}: expected {', '.join(KEYS)}; delete it, and `mtalign study` writes it again")
    return made


def commit() -> str:
    """The commit of the checkout this runs from; "installed package" where there is none."""
    command = ["git", "-C", str(paths.PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=12"]
    if not (paths.PACKAGE.parent / ".git").exists():
        return "installed package"
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
