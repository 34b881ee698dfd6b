"""Which notebooks a grid executes, with which parameters, and under which names: one `Page` for each."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ConfigError, check_keys, mismatch
from mtalign.config.grid import Block, Grid, kept_grid, load_grid
from mtalign.config.hub import listed
from mtalign.config.run import file_name
from mtalign.models.load import check_names
from mtalign.notebook.cells import cells


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
        check_keys(f"{path}: notebooks: {name}", parameters, known, "parameter")
        for key, value in parameters.items():
            if message := mismatch(value, PARAMETERS.get(key, type(known[key]))):
                raise ConfigError(f"{path}: notebooks: {name}: {key}: {message}")
        if missing := [arm for arm in parameters.get("arms", []) if arm not in grid.block(parameters).arms]:
            raise ConfigError(f"{path}: notebooks: {name}: arms: {missing[0]} is not in grid.arm")


def grid_of(out: Path) -> Grid:
    """The grid that a study's output folder was made from; its models need not be at hand to read what came out.

    Raises:
        ConfigError: `out` is not the output folder of a study.
    """
    path = kept_grid(out)
    grid = load_grid(path)
    check_notebooks(grid, path)
    return grid


def find_notebook(name: str, where="notebooks") -> Path:
    """The source of the notebook called `name`, or lying at the path `name`; in a name of ours, after a dot comes what tells several executions of it apart."""
    if not (isinstance(name, str) and name.isprintable() and len(name) <= 200):
        raise ConfigError(f"{where}: notebooks: expected a name of a notebook or a path to one, got {name!r:.60}")
    if name.endswith(".ipynb"):
        source = Path(name).resolve()
    else:
        source = paths.shared("notebooks") / f"{name.partition('.')[0]}.ipynb"
    if not source.is_file():
        known = ", ".join(sorted(p.stem for p in paths.shared("notebooks").glob("*.ipynb"))) + ", or a path to one"
        raise ConfigError(f"{where}: notebooks: unknown notebook {name!r}; known: {known}")
    return source


def notebook_parameters(source: Path) -> dict:
    """The names and defaults in the notebook's cell tagged `parameters`.

    As `papermill.inspect_notebook` has them, which would be called here, were it not that it reads the cell line by line: it
    leaves out `task = "rg:gcd?size=60"` for its second `=` and cuts text at a `#`, and importing it takes seconds, which
    `mtalign plan` would have to wait.
    """
    if not (written := cells(source)):
        raise ConfigError(f"{source}: is no notebook with cells")
    tagged = [c for c in written if "parameters" in c["metadata"].get("tags", [])]
    found = {}
    for statement in ast.parse("".join(tagged[0]["source"])).body if tagged else []:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:  # with its type, as papermill shows it
            found[ast.unparse(statement.target)] = ast.literal_eval(statement.value)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


def pages(grid: Grid) -> list[Page]:
    """The notebooks of the grid with their parameters; records are found beside the executed notebook."""
    found = []
    for name, own in grid.notebooks.items():
        source, block = find_notebook(name), grid.block(own)
        own = {key: value for key, value in own.items() if key != "block"}
        arms = [arm for arm in notebook_parameters(source).get("arms", []) if arm in block.arms]
        for model, task in block.pairs:
            parameters = {
                "arms": arms,
                "seeds": block.seeds,
                **_shared(grid, block),
                **own,
                "model": model,
                "task": task,
            }
            title, pair = _title(name), f"{file_name(model)}.{file_name(task)}"
            found.append(Page(source, parameters, f"{title}.{pair}", f"{title}: {model}, {task}"))
    for name, own in grid.final.items():
        block = grid.block(own)
        own = {key: value for key, value in own.items() if key != "block"}
        models, tasks = (list(dict.fromkeys(values)) for values in zip(*block.pairs, strict=True))
        parameters = {"models": models, "tasks": tasks, "arms": block.arms, "seeds": block.seeds}
        parameters |= _shared(grid, block) | own
        found.append(Page(find_notebook(name), parameters, _title(name), _title(name)))
    return found


def _shared(grid: Grid, block: Block) -> dict:
    """What all notebooks of a block are given."""
    fixed = grid.fixed | block.fixed
    shared = {"settings": {key: value for key, value in fixed.items() if key != "max_steps"}}
    shared |= {"own_arms": grid.own_arms, "records": "records"}
    return shared | ({"max_steps": fixed["max_steps"]} if "max_steps" in fixed else {})


def _title(name: str) -> str:
    return Path(name).stem if name.endswith(".ipynb") else name


PARAMETERS = {  # name -> type; what a notebook's cell tagged `parameters` may hold
    "model": str, "task": str, "models": list, "tasks": list, "arms": list, "seeds": list,
    "max_steps": int, "settings": dict, "own_arms": dict, "records": str, "workers": int,
}  # fmt: skip
