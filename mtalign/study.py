"""The grid: plan it, complete its runs, execute its notebooks with papermill, make its report."""

from __future__ import annotations

import ast
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mtalign import paths
from mtalign.config import PARAMETERS, ConfigError, file_name
from mtalign.grids import Grid, load_grid
from mtalign.models import check_names
from mtalign.records import Records
from mtalign.rehearsal import listed
from mtalign.resources import ResourcesError, check_machine


@dataclass(frozen=True)
class Page:
    """One notebook to execute: its source, its parameters, and the name of what comes out."""

    source: Path
    parameters: dict
    stem: str
    title: str


def open_grid(path: str | Path, planned: bool = False) -> Grid:
    """A grid file with all its names checked: models, tasks, arms, notebooks and their parameters.

    Args:
        planned: whether models and tasks of params/hub.yaml need not be at hand.
    """
    grid = load_grid(path)
    check_names([pair for pair in grid.pairs if not (planned and listed(*pair))], f"{path}: grid")
    check_notebooks(grid, path)
    return grid


def check_notebooks(grid: Grid, path: str | Path) -> None:
    """Raises `ConfigError` where a notebook, one of its parameters or an arm that it shows is unknown."""
    for name, parameters in {**grid.notebooks, **grid.final}.items():
        known = notebook_parameters(find_notebook(name, path)) | {"block": ""}
        for key, value in parameters.items():
            if key not in known:
                raise ConfigError(f"{path}: notebooks: {name}: {key}: unknown parameter; known: {', '.join(known)}")
            kind = PARAMETERS.get(key, type(known[key]))
            if type(value) is not kind:
                raise ConfigError(f"{path}: notebooks: {name}: {key}: expected {kind.__name__}, got {value!r}")
        if missing := [arm for arm in parameters.get("arms", []) if arm not in grid.block(parameters).arms]:
            raise ConfigError(f"{path}: notebooks: {name}: arms: {missing[0]} is not in grid.arm")


def grid_of(out: Path) -> Grid:
    """The grid that a study's output folder was made from.

    Raises:
        ConfigError: `out` is not the output folder of a study.
    """
    found = list(out.glob("*.grid.yaml"))
    if not found:
        raise ConfigError(f"{out}: no *.grid.yaml in it; is this the output folder of `mtalign study`?")
    return open_grid(found[0], planned=True)


def find_notebook(name: str, where="notebooks") -> Path:
    """The source of the notebook called `name`, or lying at the path `name`; in a name of ours, after a dot comes what tells several executions of it apart."""
    if name.endswith(".ipynb"):
        source = Path(name).resolve()
    else:
        source = paths.shared("notebooks") / f"{name.partition('.')[0]}.ipynb"
    if not source.is_file():
        known = ", ".join(sorted(p.stem for p in paths.shared("notebooks").glob("*.ipynb"))) + ", or a path to one"
        raise ConfigError(f"{where}: notebooks: unknown notebook {name!r}; known: {known}")
    return source


def notebook_parameters(source: Path) -> dict:
    """The names and defaults in the notebook's cell tagged `parameters`."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    found = {}
    for statement in ast.parse("".join(tagged[0]["source"])).body if tagged else []:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


def pages(grid: Grid) -> list[Page]:
    """The notebooks of the grid with their parameters; records are found beside the executed notebook."""
    settings = {key: value for key, value in grid.fixed.items() if key != "max_steps"}
    shared = {"settings": settings, "own_arms": grid.own_arms, "records": "records"}
    if "max_steps" in grid.fixed:
        shared["max_steps"] = grid.fixed["max_steps"]
    found = []
    for name, own in grid.notebooks.items():
        source, block = find_notebook(name), grid.block(own)
        own = {key: value for key, value in own.items() if key != "block"}
        arms = [arm for arm in notebook_parameters(source).get("arms", []) if arm in block.arms]
        for model, task in block.pairs:
            parameters = {"arms": arms, "seeds": block.seeds, **shared, **own, "model": model, "task": task}
            title, pair = _title(name), f"{file_name(model)}.{file_name(task)}"
            found.append(Page(source, parameters, f"{title}.{pair}", f"{title}: {model}, {task}"))
    for name, own in grid.final.items():
        block = grid.block(own)
        own = {key: value for key, value in own.items() if key != "block"}
        models, tasks = (list(dict.fromkeys(values)) for values in zip(*block.pairs, strict=True))
        parameters = {"models": models, "tasks": tasks, "arms": block.arms, "seeds": block.seeds, **shared, **own}
        found.append(Page(find_notebook(name), parameters, _title(name), _title(name)))
    return found


def _title(name: str) -> str:
    return Path(name).stem if name.endswith(".ipynb") else name


def run_study(path: str | Path, out: Path | None, workers: int, executor: str = "local") -> int:
    """Does what is missing of the grid and makes its report; the exit status, 0 only when all was done."""
    began = time.monotonic()
    grid = open_grid(path)
    if executor == "local":
        try:
            check_machine(grid.runs, grid.resources, workers)
        except ResourcesError as error:
            raise ConfigError(f"{path}: resources: {error}") from None
    from mtalign.execution import execute_notebooks
    from mtalign.report import make_report
    from mtalign.workers import complete

    out = out or Path("reports") / grid.name
    records = Records(out / "records")
    records.prepare()
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{out}: another `mtalign study` is writing to this folder") from None
    with lock:
        kept = out / f"{grid.name}.grid.yaml"
        if not (kept.is_file() and kept.read_bytes() == Path(path).read_bytes()):
            unfinished = out / f".{grid.name}.grid.yaml.partial"
            unfinished.write_bytes(Path(path).read_bytes())
            os.replace(unfinished, kept)
        for older in set(out.glob("*.grid.yaml")) - {kept}:
            older.unlink()
        counts = complete(grid.runs, records, workers, True, grid.resources, executor, out)
        print(f"runs: {counts['trained']} computed now, {counts['found']} found finished, {counts['failed']} failed")
        broken = execute_notebooks(pages(grid), records.evidence(grid.runs), out, workers)
        index = make_report(out, seconds=time.monotonic() - began)
    for run in grid.runs:
        record = records.read(run)
        if record and record["status"] == "failed":
            print(f"failed: {run.run_id}: {record['reason']}")
    for stem, reason in broken.items():
        print(f"failed: {stem}.ipynb: {reason}")
    print(f"report: {index} ({time.monotonic() - began:.0f} s)")
    return 1 if counts["failed"] or broken else 0
