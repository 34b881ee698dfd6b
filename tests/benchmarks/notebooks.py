"""What a notebook costs beside its own work: an empty one by papermill alone, and each of many by `mtalign study`."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

BOOKS = 12


def empty(path: Path) -> Path:
    cells = [new_code_cell("number = 0", metadata={"tags": ["parameters"]}), new_code_cell("number")]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def measure(repeats: int = 3) -> dict:
    """Seconds per empty notebook: papermill one at a time, and `execution.execute_notebooks` with two workers."""
    import papermill

    from mtalign.notebook.execution import execute_notebooks
    from mtalign.notebook.pages import Page

    alone, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = empty(Path(folder) / "empty.ipynb")
        for repeat in range(repeats):
            began = time.monotonic()
            papermill.execute_notebook(
                str(source), str(Path(folder) / "done.ipynb"), {"number": repeat}, progress_bar=False
            )
            alone.append(time.monotonic() - began)
            out = Path(folder) / str(repeat)
            out.mkdir()
            books = [Page(source, {"number": i}, f"empty.{i}", f"empty {i}") for i in range(BOOKS)]
            began = time.monotonic()
            if broken := execute_notebooks(books, "", out, workers=2):
                raise RuntimeError(f"notebooks failed: {broken}")
            ours.append((time.monotonic() - began) / BOOKS)
    papermill_seconds, our_seconds = statistics.median(alone), statistics.median(ours)
    return {
        "papermill_seconds": papermill_seconds,
        "seconds": our_seconds,
        "ratio": papermill_seconds / our_seconds,
    }
