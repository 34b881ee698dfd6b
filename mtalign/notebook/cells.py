"""The cells of a notebook's file."""

from __future__ import annotations

import json
from pathlib import Path


def cells(notebook: Path, kind: str = "") -> list[dict]:
    """The cells, those of a `kind` alone (`code`, `markdown`) where one is given; of a file that is no notebook, none.

    >>> from mtalign.config.paths import shared
    >>> cells(shared("notebooks") / "01_alignment.ipynb", "markdown")[0]["cell_type"], cells(Path("none.ipynb"))
    ('markdown', [])
    """
    try:
        found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return []
    return [cell for cell in found if not kind or cell.get("cell_type") == kind]
