"""A JSON Schema of grid files, from the classes that check them: editors complete keys and mark what is wrong.

`python -m mtalign.config.schema` writes `params/grid.schema.json` again. The first line of each grid file in `params/`
names it, as editors with the YAML language server read it. What depends on several keys at once (a batch that its
groups do not divide, the parameters of a notebook) is checked by `load_grid` alone.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing

from mtalign.config import paths, plugins, resources, run
from mtalign.config.arms import ARMS, Reward
from mtalign.config.warm_up import LEAST, WarmUp

AXES = ("model", "task", "arm", "seed")  # fields of a run that the section `grid` spans
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}


def grid_schema() -> dict:
    """The schema, in draft 7, which editors know best.

    >>> grid_schema()["definitions"]["settings"]["properties"]["k"]
    {'type': 'integer', 'default': 1, 'minimum': 1, 'maximum': 1000000000, 'description': 'prompts of a k_shot subset'}
    """
    fields = _fields(run.Run, run.BOUNDS)
    settings = {name: field for name, field in fields.items() if name not in AXES}
    axes = {
        "model": {
            "type": "string",
            "description": "see `mtalign list models`; a folder, or a Hub id org/name@revision",
        },
        "task": {"type": "string", "description": "see `mtalign list tasks`"},
        "arm": {
            "anyOf": [{"enum": list(ARMS)}, {"type": "string"}],
            "description": "see `mtalign list arms`; or one of `arms`",
        },
        "seed": {"type": "integer", "minimum": 0},
    }
    lists = {name: {"type": "array", "minItems": 1, "uniqueItems": True, "items": item} for name, item in axes.items()}
    block = {"$ref": "#/definitions/block"}
    sections = {
        "grid": {
            "description": "Each combination is a run: one block, or several, each with its name.",
            "anyOf": [block, {"type": "object", "minProperties": 1, "additionalProperties": block}],
        },
        "fixed": {
            "description": "Fields of every run.",
            "anyOf": [{"$ref": "#/definitions/settings"}, {"type": "null"}],
        },
        "arms": {
            "description": "Arms of your own: a name, and the fields in which it differs from standard RL.",
            "type": ["object", "null"],
            "additionalProperties": {"$ref": "#/definitions/settings"},
        },
        "notebooks": _object(
            {"each": {"$ref": "#/definitions/notebooks"}, "final": {"$ref": "#/definitions/notebooks"}}
        )
        | {"description": "What is executed for each model and task, and once at the end.", "type": ["object", "null"]},
        "resources": _object(
            _fields(
                resources.Resources, {name: run.Bound(least, run.LARGEST) for name, least in resources.LEAST.items()}
            )
        )
        | {"description": "What a run is computed with, and not what it computes.", "type": ["object", "null"]},
    }
    own_fixed = {
        "allOf": [{"$ref": "#/definitions/settings"}],
        "description": "Fields that this block has instead of the file's.",
    }
    definitions = {
        "block": _object(lists | {"title": {"type": "string"}, "warm_up": _warm_up(), "fixed": own_fixed}) | {"required": list(AXES)},
        "settings": _object(settings),
        "notebooks": {  # name -> parameters, and `block`
            "type": ["object", "null"], "additionalProperties": {"type": ["object", "null"]},
        },
    }  # fmt: skip
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A grid file of mtalign"}
    return head | _object(sections) | {"required": ["grid"], "definitions": definitions}


def _warm_up() -> dict:
    """The section `warm_up` of a block: lists of doses (or such a list for each task) and seeds, one value of what else."""
    bounds = {name: run.Bound(least, run.MOST, open=name == "learning_rate") for name, least in LEAST.items()}
    fields = _fields(WarmUp, bounds | {"dose": run.Bound(0, 1)})
    one = {name: field for name, field in fields.items() if name not in ("model", "task")}
    for name in ("dose", "seed"):
        one[name] = {"type": "array", "minItems": 1, "uniqueItems": True, "items": one[name]}
        one[name]["items"].pop("default", None)
    one["dose"] = {"anyOf": [one["dose"], {"type": "object", "additionalProperties": one["dose"]}]}
    said = "Each model after a supervised warm-up on each task, for each dose and seed."
    return _object(one) | {"required": ["dose", "seed"], "description": said}


def _object(properties: dict) -> dict:
    """Exactly these keys, each of which may be left out."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _fields(kind: type, bounds: dict[str, run.Bound]) -> dict[str, dict]:
    """A property for each field of a dataclass: type, default, bound, and the comment beside it in the source."""
    comments = dict(re.findall(r"^    (\w+): .*?  # (.*)$", inspect.getsource(kind), re.MULTILINE))
    types = typing.get_type_hints(kind)
    properties = {}
    for field in dataclasses.fields(kind):
        known = _values(types[field.name])
        if field.default is not dataclasses.MISSING:
            known["default"] = field.default
        if bound := bounds.get(field.name):
            ends = {"exclusiveMinimum" if bound.open else "minimum": bound.least}
            ends["exclusiveMaximum" if bound.open else "maximum"] = bound.most
            known |= {name: end for name, end in ends.items() if abs(end) < run.LARGEST}
        if field.name in comments:
            known["description"] = comments[field.name]
        properties[field.name] = known
    return properties


def _values(kind) -> dict:
    """The values of a type; a reward can also be a function of your own."""
    if kind == Reward:
        own = {"type": "string", "pattern": f"^{plugins.NAME.pattern}$"}
        return {"anyOf": [{"enum": list(typing.get_args(kind))}, own]}
    return {"enum": list(typing.get_args(kind))} if typing.get_origin(kind) is typing.Literal else {"type": TYPES[kind]}


def text() -> str:
    """The schema as it stands in its file."""
    return json.dumps(grid_schema(), indent=1) + "\n"


if __name__ == "__main__":
    paths.write_whole(paths.shared("params") / "grid.schema.json", text())
