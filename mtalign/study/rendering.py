"""Pages of a report made again from its notebooks and records, notebooks executed again, and compared; files that nothing
here makes, named."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import PIL.Image

from mtalign.config.errors import in_one_line
from mtalign.config.grid import Grid, kept_grid
from mtalign.notebook.execution import execute_notebooks
from mtalign.notebook.pages import Page, pages
from mtalign.report import made
from mtalign.report.manifest import PASSING, WORK
from mtalign.report.site import make_report
from mtalign.study.compare import cell_differences

PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
STAMP = re.compile(r'<meta name="mtalign" content="[^"<>]*">')  # over all of the page, pictures too
OF_A_STUDY = {  # files beside notebooks, records and the grid
    "index.html", "claims.html", "predictions.html", "runs.html", "runs.csv", "headline.png", "dose_response.png", "levels.png", made.FILE,
    "REGISTRATION.md", "design.txt",  # rules of an experiment, written before its runs, and what they can decide
}  # fmt: skip
DATA = ("records", "continuations")  # folders of what notebooks read
TOLERANCE = 2.0  # of 255, in the mean over a picture: other versions of fonts draw letters a little differently


def wrong_again(out: Path) -> dict[str, str]:
    """Pages, pictures and tables that differ from what the notebooks and records that are here give."""
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder)
        (again / "records").symlink_to((out / "records").resolve(), target_is_directory=True)
        for source in (kept_grid(out), *out.glob("[!.]*.ipynb"), *out.glob(made.FILE)):
            (again / source.name).write_bytes(source.read_bytes())
        try:
            make_report(again, run_pages=(out / "runs").is_dir())
        except Exception as error:  # whatever a record or a notebook holds
            return {"pages": f"cannot be made again: {in_one_line(error)}"}
        drawn = [p for p in again.rglob("*") if p.suffix in (".html", ".png", ".csv", ".css") and p.is_file()]
        wrong = {}
        for path in sorted(drawn):
            name = path.relative_to(again)
            if not (out / name).is_file():
                wrong[f"{name}"] = "missing"
            elif not _alike(out / name, path):
                wrong[f"{name}"] = "is not what the notebooks and records that are here give"
        return wrong


def wrong_outputs(books: list[Page], evidence: str, out: Path) -> dict[str, str]:
    """Notebooks that, executed again beside a copy of the data, have other cells or outputs; of a picture its size counts."""
    wrong = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        again = Path(folder)
        for name in filter(lambda name: (out / name).is_dir(), DATA):
            shutil.copytree(out / name, again / name)
        shutil.copy(kept_grid(out), again)
        broken = execute_notebooks(books, evidence, again, workers=1)
        for name in (f"{page.stem}.ipynb" for page in books):
            if name.removesuffix(".ipynb") in broken:
                wrong[f"{name} again"] = f"cannot be executed: {broken[name.removesuffix('.ipynb')]}"
            elif cell_differences(name, *(nbformat.read(place / name, as_version=4) for place in (out, again))):
                wrong[f"{name} again"] = "has other cells or outputs when it is executed on this machine"
    return wrong


def _alike(found: Path, again: Path) -> bool:
    one, other = found.read_bytes(), again.read_bytes()
    if one == other:
        return True
    if found.suffix == ".png":
        return _same_picture(one, other)
    if found.suffix != ".html":
        return False
    texts = [STAMP.sub("", content.decode(errors="replace")) for content in (one, other)]
    pictures = [PICTURE.findall(text) for text in texts]
    if PICTURE.sub("", texts[0]) != PICTURE.sub("", texts[1]) or len(pictures[0]) != len(pictures[1]):
        return False
    return all(a == b or _same_picture(*map(base64.b64decode, (a, b))) for a, b in zip(*pictures, strict=True))


def _same_picture(one: bytes, other: bytes) -> bool:
    try:
        pixels = [np.asarray(PIL.Image.open(io.BytesIO(each)).convert("RGB"), dtype=float) for each in (one, other)]
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        return False
    return pixels[0].shape == pixels[1].shape and float(np.abs(pixels[0] - pixels[1]).mean()) <= TOLERANCE


def unknown_files(out: Path, grid: Grid) -> dict[str, str]:
    """Files that no study of this grid makes, links and what is no file: such a page could pose as one of ours."""
    grids = {path.name for path in out.glob("*.grid.yaml")}
    ours = {f"{page.stem}.{kind}" for page in pages(grid) for kind in ("ipynb", "html")} | PASSING | OF_A_STUDY | grids
    ours |= {f"runs/{name}" for name in ("style.css", *PASSING, *(f"{run.run_id}.html" for run in grid.runs))}
    wrong = dict.fromkeys(grids if len(grids) > 1 else [], "one of several grid files: which of them was run?")
    for folder, folders, names in os.walk(out):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if what := _what_is_wrong_with(path, path.relative_to(out), ours):
                wrong.setdefault(path.relative_to(out).as_posix(), what)
    return wrong


def _what_is_wrong_with(path: Path, name: Path, ours: set[str]) -> str:
    """Why a path is none of a finished study; nothing where it is one."""
    if path.is_symlink():
        return "is a link: what it leads to can be changed from elsewhere"
    if any(part.startswith(".") for part in name.parts):
        is_work = len(name.parts) == 1 and (name.name == ".lock" or name.name.endswith(".partial.ipynb"))
        return "" if is_work else "is hidden, and not of this study"
    if path.is_dir():
        return ""
    if not path.is_file():
        return "is no file"
    if name.parts[0] in WORK:
        return "is of a run that is not finished"
    is_data = name.parts[0] in DATA and len(name.parts) == 2 and name.suffix == ".json"
    return "" if is_data or name.as_posix() in ours else "is not of this study"
