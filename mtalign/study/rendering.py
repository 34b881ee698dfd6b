"""Pages of a report made again from its notebooks and records, and compared; files that nothing here makes, named."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image

from mtalign.config.errors import in_one_line
from mtalign.config.grid import Grid, kept_grid
from mtalign.notebook.pages import pages
from mtalign.report import made
from mtalign.report.manifest import PASSING, files
from mtalign.report.site import make_report

PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
STAMP = re.compile(r'<meta name="mtalign" content="[^"<>]*">')  # over all of the page, pictures too
OF_A_STUDY = {  # files beside notebooks, records and the grid
    "index.html", "claims.html", "predictions.html", "runs.html", "runs.csv", "headline.png", "dose_response.png", made.FILE,
}  # fmt: skip
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
    """Files that no study of this grid makes: such a page could pose as one of ours."""
    ours = {f"{page.stem}.{kind}" for page in pages(grid) for kind in ("ipynb", "html")} | PASSING | OF_A_STUDY
    grids = [path.name for path in out.glob("*.grid.yaml")]
    wrong = dict.fromkeys(grids if len(grids) > 1 else [], "one of several grid files: which of them was run?")
    for name in files(out):
        is_data = re.fullmatch(r"(records|continuations)/[^/]+\.json", name)
        if name not in {*ours, *grids} and not is_data:
            wrong[name] = "is not of this study"
        elif (out / name).is_symlink():
            wrong[name] = "is a link: what it leads to can be changed from elsewhere"
    runs = {"style.css", *PASSING, *(f"{run.run_id}.html" for run in grid.runs)}
    for path in (out / "runs").rglob("*"):
        if path.is_file() and f"{path.relative_to(out / 'runs')}" not in runs:
            wrong[f"{path.relative_to(out)}"] = "is not of this study"
    hidden = [p.name for p in out.glob(".*") if p.name != ".lock" and not p.name.endswith(".partial.ipynb")]
    return wrong | dict.fromkeys(hidden, "is hidden, and not of this study")
