"""The subcommand `list`: what can stand in a grid file, and what a new place can be filled with."""

from __future__ import annotations

import itertools
import json
import re

import click

from mtalign.config import paths
from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError

SCHEMAS = paths.PACKAGE / "schemas"


@click.command("list")
@click.argument("what", type=click.Choice(["models", "tasks", "arms", "claims", "grids", "schema"]))
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as `mtalign list schema list` describes it.")
def list_(what: str, name: str | None, as_json: bool) -> int:
    """What can stand in a grid file; `schema` names the descriptions of what `--json` prints, or prints one.

    \b
    Examples:
      mtalign list arms
      mtalign list tasks --json
      mtalign list schema diagnose
    """
    if what == "schema" and name:
        click.echo(schema(name))
        return 0
    if name:
        raise ConfigError(f"list {what}: takes no name, got {name!r}")
    rows = _ROWS[what]()
    if as_json:
        click.echo(json.dumps([{"name": first, "description": rest} for first, rest in rows], indent=2))
        return 0
    width = min(24, max(len(first) for first, _ in rows))
    for first, rest in rows:
        click.echo(f"{first:{width}}  {rest}".rstrip())
    return 0


def schema(name: str) -> str:
    """The JSON Schema called `name`.

    Raises:
        ConfigError: there is none.
    """
    path = SCHEMAS / f"{name}.json"
    if path.parent != SCHEMAS or not path.is_file():
        raise ConfigError(f"list schema: unknown name {name!r}; known: {', '.join(n for n, _ in _schemas())}")
    return path.read_text(encoding="utf-8").rstrip()


def _arms() -> list[tuple[str, str]]:
    return [
        (name, ", ".join(f"{k} = {v}" for k, v in settings.items()) or "reward = ground_truth")
        for name, settings in ARMS.items()
    ]


def _tasks() -> list[tuple[str, str]]:
    from mtalign.tasks.registry import FAMILIES

    lines = (line for family in FAMILIES for line in family.words())
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def _models() -> list[tuple[str, str]]:
    from mtalign.config.recipes import doses
    from mtalign.models.packaged import PACKAGED

    own = [(n, f"dose: {', '.join(f'{t} {d}' for t, d in each.items())}; licence MIT") for n, each in doses().items()]
    packaged = [(n, f"{k.description}; licence {k.licence}; {k.install}") for n, k in PACKAGED.items()]
    return [
        *own, *packaged,
        ("micro:<task>?dose=..&seed=..&size=..&right=..&agree=..", "built on demand, see mtalign/models/dialled.py"),
        ("<folder>", "any model of transformers with a config.json"),
        ("<org>/<name>@<revision>", "any model of the Hugging Face Hub; see its page for its licence"),
    ]  # fmt: skip


def _claims() -> list[tuple[str, str]]:
    from mtalign.config.claims import CLAIMS

    return [(c.name, f"{c.statement} (arm {c.arm}; {c.source})") for c in CLAIMS.values()]


def _grids() -> list[tuple[str, str]]:
    """The grids that the package brings: files with a section `grid`, and the first sentence of their comment."""
    found = []
    for path in sorted(paths.shared("params").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if "\ngrid:" in f"\n{text}":
            comment = itertools.takewhile(lambda line: line.startswith("# "), text.splitlines())
            said = " ".join(line.lstrip("# ") for line in comment if "yaml-language-server" not in line)
            found.append((path.stem, re.split(r"(?<=[.?])\s", said)[0]))
    return found


def _schemas() -> list[tuple[str, str]]:
    found = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(SCHEMAS.glob("*.json"))]
    return [(name, known["description"]) for name, known in found]


_ROWS = {"models": _models, "tasks": _tasks, "arms": _arms, "claims": _claims, "grids": _grids, "schema": _schemas}
