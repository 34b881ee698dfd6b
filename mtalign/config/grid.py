"""Grids: a params file -> blocks of runs, checked; every error names the file and the key."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property
from math import prod
from pathlib import Path

from mtalign.config import ranking
from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError, ResourcesError, check_keys, mismatch
from mtalign.config.reading import read_yaml
from mtalign.config.resources import Resources, batches, make_resources
from mtalign.config.run import RANKED, Run, make_run, with_seed
from mtalign.config.warm_up import TYPES, WarmUp, checked

MAX_RUNS = 20_000  # of a grid, unless a person asks for more: the studies here have some 1,300
LONGEST_NAME = 200  # of a model, task or arm: a file system takes 255 for a record
ARM_NAME = re.compile(r"[A-Za-z0-9]\w*(?:[.-]\w+)*", re.ASCII)
AXES = {"title", "model", "task", "arm", "seed"}  # what stands in the section `grid`, and nowhere else


@dataclass(frozen=True)
class Block:
    """Every combination of some pairs, arms and seeds."""

    title: str
    pairs: list[tuple[str, str]]  # (model, task)
    arms: list[str]
    seeds: list[int]
    runs: list[Run]  # with those they need, each after what it needs
    fixed: dict = field(default_factory=dict)  # what the block has instead of the file's values


@dataclass(frozen=True)
class Grid:
    """A checked grid file: one block, or several named ones, the first of which gives the headline picture."""

    name: str
    blocks: dict[str, Block]
    fixed: dict
    own_arms: dict[str, dict]
    notebooks: dict[str, dict] = field(default_factory=dict)  # executed for each pair: name -> block and parameters
    final: dict[str, dict] = field(default_factory=dict)  # executed once, at the end
    resources: Resources = field(default_factory=Resources)  # what a run is computed with

    @cached_property
    def runs(self) -> list[Run]:
        """The runs of all blocks, each once, each after what it needs."""
        return sorted(dict.fromkeys(r for b in self.blocks.values() for r in b.runs), key=lambda run: len(run.needs))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The (model, task) pairs of all blocks, each once."""
        return list(dict.fromkeys(pair for block in self.blocks.values() for pair in block.pairs))

    def block(self, parameters: dict) -> Block:
        """The block that a notebook's entry names; the first, where it names none."""
        return self.blocks[parameters.get("block", next(iter(self.blocks)))]


def kept_grid(out: Path) -> Path:
    """The copy of the grid file in a study's output folder.

    Raises:
        ConfigError: `out` is not the output folder of a study.
    """
    copies = sorted(out.glob("*.grid.yaml"))
    if not copies:
        raise ConfigError(f"{out}: no *.grid.yaml in it; is this the output folder of `mtalign study`?")
    return copies[0]


def load_grid(path: str | Path) -> Grid:
    """Reads and checks a grid file; every error names the file and the key.

    Raises:
        ConfigError: the file cannot be read, or a key, type, value or combination is wrong.
    """
    path = Path(path)
    content = _mapping(path, "", read_yaml(path), {"grid", "fixed", "arms", "notebooks", "resources"})
    fixed = _mapping(path, "fixed", content.get("fixed") or {}, None)
    if wrong := set(fixed) & AXES:
        raise ConfigError(f"{path}: fixed.{min(wrong)}: belongs in grid")
    own = _own_arms(path, content)
    blocks = _blocks(path, content.get("grid"), fixed, own)
    each, final = _notebooks(path, content, blocks)
    resources = _resources(path, content, [run for block in blocks.values() for run in block.runs if run.max_steps])
    return Grid(path.stem.removesuffix(".grid"), blocks, fixed, own, each, final, resources)


def _own_arms(path: Path, content: dict) -> dict:
    """Arms that the file defines: (name, settings). Names stand in those of files and on pages."""
    own = _mapping(path, "arms", content.get("arms") or {}, None)
    for name, settings in own.items():
        if not isinstance(name, str) or len(name) > 60 or not ARM_NAME.fullmatch(name):
            raise ConfigError(f"{path}: arms: {name!r:.70}: expected a name of letters, digits, _ and - (at most 60)")
        _mapping(path, f"arms.{name}", settings, None)
    return own


def _blocks(path: Path, axes, fixed: dict, own: dict) -> dict[str, Block]:
    """The blocks by name; a grid without names is one block without a name."""
    _check_count(path, axes)
    if isinstance(axes, dict) and axes and all(isinstance(value, dict) for value in axes.values()):
        return {str(name): _block(path, f"grid.{name}", block, fixed, own) for name, block in axes.items()}
    return {"": _block(path, "grid", axes, fixed, own)}


def _notebooks(path: Path, content: dict, blocks: dict[str, Block]) -> list[dict[str, dict]]:
    """Parameters by notebook: of those executed for each pair, and of those executed once."""
    books = _mapping(path, "notebooks", content.get("notebooks") or {}, {"each", "final"})
    found = []
    for part in ("each", "final"):
        given = _mapping(path, f"notebooks.{part}", books.get(part) or {}, None)
        found.append({name: _mapping(path, f"notebooks: {name}", value or {}, None) for name, value in given.items()})
        for name, value in found[-1].items():
            if value.get("block", next(iter(blocks))) not in blocks:
                raise ConfigError(
                    f"{path}: notebooks: {name}: block: unknown block {value['block']!r}; known: {', '.join(blocks)}"
                )
    return found


def _check_count(path: Path, axes) -> None:
    """Counts before anything is expanded, so that a slip of the finger is said at once."""
    blocks = [axes] if not isinstance(axes, dict) or "model" in axes else list(axes.values())
    lists = [[b.get(key) for key in ("model", "task", "arm", "seed")] for b in blocks if isinstance(b, dict)]
    number = sum(prod(len(values) for values in axis) for axis in lists if all(isinstance(v, list) for v in axis))
    given = os.environ.get("MTALIGN_MAX_RUNS", "")
    most = int(given) if given.isdecimal() and len(given) < 12 else MAX_RUNS
    if number > most:
        raise ConfigError(
            f"{path}: grid: {number} runs are more than {most}; if that is meant, set MTALIGN_MAX_RUNS={number}"
        )


def _resources(path: Path, content: dict, trained: list[Run]) -> Resources:
    values = _mapping(path, "resources", content.get("resources") or {}, None)
    try:
        resources = make_resources(values)
        for run in trained:
            batches(run.generation_batch_size, run.steps_per_generation, resources)
            if resources.save_steps % run.steps_per_generation:
                raise ResourcesError(
                    f"save_steps: expected a multiple of steps_per_generation {run.steps_per_generation}"
                )
            if run.refill != "none" and resources.launched:
                raise ResourcesError(f"processes: refill {run.refill!r} works in one process alone")
            if run.fast and resources.launched:
                raise ResourcesError("processes: fast works in one process alone")
    except ResourcesError as error:
        raise ConfigError(f"{path}: resources: {error}") from None
    return resources


def _block(path: Path, where: str, axes, fixed: dict, own: dict) -> Block:
    kinds = {"model": str, "task": str, "arm": str, "seed": int}
    axes = _mapping(path, where, axes, {*kinds, "title", "warm_up", "fixed"})
    its_own = _mapping(path, f"{where}.fixed", axes.get("fixed") or {}, None)
    if wrong := set(its_own) & AXES:
        raise ConfigError(f"{path}: {where}.fixed: {min(wrong)}: belongs in {where}")
    _check_lists(path, where, axes, kinds)
    pairs = [(model, task) for model in axes["model"] for task in axes["task"]]
    if "warm_up" in axes:
        pairs = _warmed(path, f"{where}.warm_up", axes["warm_up"], pairs)
    runs = expand_grid(f"{path}", pairs, axes["arm"], axes["seed"], fixed | its_own, own)
    return Block(str(axes.get("title", "")), pairs, axes["arm"], axes["seed"], runs, its_own)


def _check_lists(path: Path, where: str, axes: dict, kinds: dict[str, type]) -> None:
    for key, kind in kinds.items():
        values = axes.get(key)
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{path}: {where}.{key}: expected a list with at least one entry, got {values!r}")
        for value in values:
            if message := mismatch(value, kind) or _odd(value):
                raise ConfigError(f"{path}: {where}.{key}: {message}")
        if len(set(values)) < len(values):
            raise ConfigError(f"{path}: {where}.{key}: an entry is there twice")


def _warmed(path: Path, where: str, axes, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """For each model and task the model after each warm-up on that task: lists of `dose` and `seed`, one value of the
    other settings (`config.warm_up`). Where tasks have doses of their own, `dose` has a list for each task."""
    axes = _mapping(path, where, axes, set(TYPES))
    tasks = list(dict.fromkeys(task for _, task in pairs))
    doses = axes.get("dose")
    if isinstance(doses, dict):
        for task in tasks:
            _check_lists(path, f"{where}.dose", doses, {task: float})
        _mapping(path, f"{where}.dose", doses, set(tasks))
    else:
        _check_lists(path, where, axes, {"dose": float})
        doses = dict.fromkeys(tasks, doses)
    _check_lists(path, where, axes, {"seed": int})
    one = {key: axes[key] for key in axes.keys() - {"dose", "seed"}}
    for key, value in one.items():
        if message := mismatch(value, TYPES[key]):
            raise ConfigError(f"{path}: {where}.{key}: {message}")
    found = []
    for seed in axes["seed"]:  # outermost: what the first seed says is there first
        for model, task in pairs:
            for dose in doses[task]:
                warm_up = WarmUp(model, task, dose=float(dose), seed=seed, **one)
                found.append((checked(warm_up, f"{path}: {where}").name, task))
    return found


def _odd(value) -> str | None:
    """What is wrong with a name that no model, task or arm can have; None where nothing is."""
    if isinstance(value, str) and (len(value) > LONGEST_NAME or not value.isprintable() or not value):
        return f"expected a printable name of at most {LONGEST_NAME} characters, got {value!r:.60}"
    return None


def expand_grid(where: str, pairs, arms, seeds, fixed: dict, own_arms: dict | None = None) -> list[Run]:
    """All runs of a grid with those they need, in an order in which each comes after what it needs.

    >>> [r.arm for r in expand_grid("grid", [("m", "t")], ["one_shot"], [0], {})]
    ['base', 'standard', 'one_shot']
    """
    table = {**ARMS, **(own_arms or {})}
    runs: dict[Run, None] = {}
    for model, task in pairs if seeds else ():
        for arm in arms:
            if arm not in table:
                raise ConfigError(f"{where}: grid.arm: unknown arm {arm!r}; {_hint(arm, table)}")
            values = {**fixed, **table[arm], "model": model, "task": task, "arm": arm, "seed": seeds[0]}
            first = make_run(where, _ranked(where, values, {**fixed, **table["standard"]}))
            for seed in seeds:
                run = with_seed(where, first, seed)
                if run.max_steps == 0:
                    run = run.base if arm == "base" else run.untrained
                for each in (*run.needs, run):
                    runs.setdefault(each)
    return sorted(runs, key=lambda run: len(run.needs))


def _ranked(where: str, values: dict, standard: dict) -> dict:
    """A run's values with `ranking: grid` resolved: what the grid's standard run has other than the arm's own."""
    if values.get("ranking") != ranking.GRID:
        return values
    values = {**values, "ranking": ranking.OWN}
    run = make_run(where, values)
    if run.subset not in RANKED:
        return values
    shared = {key: values[key] for key in ("model", "task", "seed")} | {"arm": "standard", "ranking": ranking.OWN}
    try:
        return {
            **values,
            "ranking": ranking.described(asdict(run.standard), asdict(make_run(where, {**standard, **shared}))),
        }
    except ValueError as error:
        raise ConfigError(f"{where}: ranking: {error}") from None


def _hint(name: str, table: dict[str, dict]) -> str:
    """What to write instead of an arm that there is not: the arm with a reward of this name, the nearest name, or any of all.

    >>> _hint("ground_truth", ARMS), _hint("majority_votes", {"majority_vote": {}, "nsr": {}})
    ('ground_truth is a reward, and the arm with it is standard', 'nearest: majority_vote; known: majority_vote, nsr')
    """
    if arms := [
        arm for arm, own in table.items() if own.get("reward", "ground_truth") == name and own.get("max_steps") != 0
    ]:
        return f"{name} is a reward, and the arm with it is {arms[0]}"
    near = get_close_matches(name, table, 1, 0.6)
    return f"{'nearest: ' if near else ''}{''.join(near)}{'; ' if near else ''}known: {', '.join(table)}"


def _section(key: str) -> str | None:
    """The section of a grid file that a key belongs in; None for one that there is nowhere."""
    sections = {"grid": AXES, "notebooks": {"each", "final"}}
    sections |= {"fixed": {f.name for f in fields(Run)}, "resources": {f.name for f in fields(Resources)}}
    return next((section for section, keys in sections.items() if key in keys), None)


def _mapping(path, key: str, value, known: set[str] | None) -> dict:
    """The value, checked to be a mapping from names to values, of the known names where there are such."""
    where = f"{path}: {key}" if key else f"{path}"
    if message := mismatch(value, dict):
        raise ConfigError(f"{where}: {message}")
    for name in value if known is not None else ():
        if name not in known and isinstance(name, str) and (section := _section(name)):
            raise ConfigError(f"{where}: {name}: unknown key; it belongs in {section}")
    check_keys(where, value, sorted(known) if known is not None else [name for name in value if isinstance(name, str)])
    return value
