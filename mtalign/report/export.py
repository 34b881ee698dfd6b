"""What leaves a report: one zip with manifest and citation, one notebook as a page, and folders for the Hugging Face Hub.

Nothing is sent anywhere: folders are written, and `hf upload` pushes them where a person asks for it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ConfigError, in_one_line
from mtalign.notebook.pages import grid_of
from mtalign.records.store import Records
from mtalign.report import html
from mtalign.report.manifest import NAME, files, write_manifests

EPOCH = (1980, 1, 1, 0, 0, 0)  # of all files in a zip, so that the same report gives the same bytes
CITATION = "CITATION.cff"


def citation() -> str:
    """The citation file of a checkout, or of the installed package."""
    places = (paths.PACKAGE.parent / CITATION, paths.PACKAGE / "_shared" / CITATION)
    found = next((path for path in places if path.is_file()), None)
    if not found:
        raise ConfigError(f"{CITATION}: is neither beside the package nor in it")
    return found.read_text(encoding="utf-8")


def write_zip(out: Path, target: Path) -> int:
    """Writes the report's files, their digests and the citation into one zip; returns how many files it holds.

    Raises:
        ConfigError: `out` is no output folder of a study, has no page yet, or the zip would lie within it.
    """
    grid = grid_of(out)
    if not (out / "index.html").is_file():
        raise ConfigError(f"{out}: has no index.html yet; make it by `mtalign report {out}`")
    if target.resolve().is_relative_to(out.resolve()):
        raise ConfigError(f"{target}: would lie in the report that it is made of")
    write_manifests(out)
    partial = target.with_name(f".{target.name}.partial")
    names = [*files(out), NAME]
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                _add(archive, f"{grid.name}/{name}", (out / name).read_bytes())
            _add(archive, f"{grid.name}-{CITATION}", citation().encode())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return len(names) + 1


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    archive.writestr(entry, content)


def write_page(notebook: Path, target: Path) -> None:
    """Writes one executed notebook as a page that loads nothing from the network and runs nothing.

    Raises:
        ConfigError: it cannot be read as a notebook.
    """
    try:
        body, contents = html.notebook_body(notebook)
        source = hashlib.sha256(notebook.read_bytes()).hexdigest()
    except Exception as error:  # half-written, nested without end, or no notebook
        raise ConfigError(f"{notebook}: cannot be shown: {in_one_line(error, 200)}") from None
    template = html.templates().get_template("notebook.html")
    html.write(target, template.render(body=body, contents=contents, title=notebook.stem, made_from=source))


def write_data_card(out: Path, target: Path) -> int:
    """Writes a folder that the Hub takes as a data set: the records, the table of runs, the grid, a card; returns how many records.

    Raises:
        ConfigError: `out` is no output folder of a study, or the folder is there already.
    """
    grid, records = grid_of(out), Records(out / "records")
    found = [(run, record) for run in grid.runs if (record := records.read(run))]
    if not found:
        raise ConfigError(f"{out}: has no records")
    _make(target)
    (target / "records").mkdir()
    for run, _ in found:
        shutil.copy(records.path(run), target / "records")
    for name in (f"{grid.name}.grid.yaml", "runs.csv"):
        if (out / name).is_file():
            shutil.copy(out / name, target)
    (target / CITATION).write_text(citation(), encoding="utf-8")
    _write(target, "data_card.md", {
        "name": grid.name, "records": len(found), "finished": sum(r["status"] == "finished" for _, r in found),
        "models": sorted({run.model for run, _ in found}), "tasks": sorted({run.task for run, _ in found}),
        "arms": sorted(Counter(run.arm for run, _ in found).items()), "versions": found[0][1].get("versions", {}),
        "table": (target / "runs.csv").is_file(),
    })  # fmt: skip
    return len(found)


def write_model_card(name: str, target: Path) -> None:
    """Writes a shipped model with a card into a folder that the Hub takes as a model.

    Raises:
        ConfigError: no model of ours is called so, or the folder is there already.
    """
    from mtalign.config.recipes import doses
    from mtalign.models.size import architecture, parameters

    if not (paths.CHECKPOINTS / name).is_dir() or name not in doses():
        raise ConfigError(f"export: unknown model {name!r}; those that mtalign ships: {', '.join(doses())}")
    _make(target)
    shutil.copytree(paths.CHECKPOINTS / name, target, dirs_exist_ok=True)
    (target / CITATION).write_text(citation(), encoding="utf-8")
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    _write(target, "model_card.md", {
        "name": name, "doses": doses()[name], "parameters": parameters(architecture(name)), "layers": config["num_hidden_layers"],
    })  # fmt: skip


def _make(target: Path) -> None:
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be made: {error.strerror}") from None


def _write(target: Path, template: str, facts: dict) -> None:
    environment = html.templates().overlay(
        autoescape=False, trim_blocks=True
    )  # markdown, of names and numbers that are checked
    (target / "README.md").write_text(environment.get_template(template).render(facts), encoding="utf-8")
