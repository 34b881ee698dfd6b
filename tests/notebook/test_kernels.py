"""Kernels that are forked give what kernels that are started give, and none sees what another did."""

import json
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from mtalign.notebook import execution, kernels
from mtalign.notebook.pages import Page

CELLS = (
    "number = 0",
    "import math, os, sys, threading\nprint(hasattr(math, 'left'), __name__, 'papermill' in sys.argv[0])\nmath.left = number",
    "print(sys.path, os.environ['MPLBACKEND'], os.path.basename(os.getcwd()), os.getpid() == os.getsid(0))",
    "import pandas as pd\npd.DataFrame([[0.5] * 15 + ['words ' * 9]])",
    "from mtalign import figures\nimport matplotlib.pyplot as plt, numpy as np\nplt.plot(np.random.default_rng(0).random(9));",
    "import concurrent.futures\nwith concurrent.futures.ProcessPoolExecutor(1) as pool:\n    print(pool.submit(abs, -2).result())",
    "import time\nprint((np.ones((700, 700)) @ np.ones((700, 700))).sum()); 1 / 0",
)


def executed(folder, books):
    folder.mkdir()
    pages = [Page(books, {"number": i}, f"book.{i}", f"book {i}") for i in range(2)]
    broken = execution.execute_notebooks(pages, "", folder, workers=1)
    assert all("ZeroDivisionError" in reason for reason in broken.values()) and len(broken) == 2, broken
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(".book.*.partial.ipynb"))]
    return sorted(json.dumps([cell["outputs"] for cell in book["cells"] if "outputs" in cell]) for book in found)


@pytest.mark.skipif(not kernels.FORKS, reason="forks on Linux alone")
def test_a_forked_kernel_gives_what_a_started_one_gives_and_sees_no_other(tmp_path, monkeypatch):
    books = tmp_path / "books.ipynb"
    cells = [new_code_cell(code, id=f"c{i}") for i, code in enumerate(CELLS)]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    books.write_text(json.dumps(new_notebook(cells=cells, metadata=spec)))
    forked = executed(tmp_path / "out", books)
    assert all("image/png" in outputs and "False __main__" in outputs for outputs in forked)
    monkeypatch.setattr(kernels, "FORKS", False)
    (tmp_path / "out").rename(tmp_path / "forked")
    assert executed(tmp_path / "out", books) == forked


@pytest.mark.skipif(not kernels.FORKS, reason="forks on Linux alone")
@pytest.mark.parametrize("first_cell, dies", [
    ("print(1)", "(listen.recv(), os._exit(1))"), ("import os; open('ran', 'a').write('x'); os._exit(3)", "os._exit(1)"),
])  # fmt: skip
def test_a_kernel_that_dies_as_it_starts_is_started_once_more_and_one_whose_cell_kills_it_is_not(
    tmp_path, first_cell, dies
):
    book = tmp_path / "book.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(first_cell, id="a")]), book)
    code = (
        "import os; from pathlib import Path; from mtalign.notebook import execution, kernels, pages, preloaded\n"
        f"kernels._become_kernel = lambda listen: {dies}\n"
        "kernels.fork()\n"
        f"print(execution.execute(pages.Page(Path({str(book)!r}), {{}}, 'done', 'done'), Path({str(tmp_path)!r}), {{}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    survived = first_cell == "print(1)"
    assert (done.stdout.strip() == "None") is survived and (tmp_path / "done.ipynb").is_file() is survived, done.stdout
    assert survived or (tmp_path / "ran").read_text() == "x"  # once
