"""The schema of grid files says of a file what the code that reads it says."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.schema import grid_schema, text

PARAMS = paths.shared("params")
GRIDS = [
    path
    for path in sorted([*PARAMS.glob("*.yaml"), *PARAMS.glob("originals/*.yaml")])
    if "grid" in (yaml.safe_load(path.read_text(encoding="utf-8")) or {})
]


def valid(content) -> bool:
    return jsonschema.Draft7Validator(grid_schema()).is_valid(content)


def test_the_schema_is_a_schema_and_the_file_is_current():
    jsonschema.Draft7Validator.check_schema(grid_schema())
    assert (PARAMS / "grid.schema.json").read_text(encoding="utf-8") == text()


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_shipped_grid_is_valid_and_its_first_line_names_the_schema(path):
    first, content = path.read_text(encoding="utf-8").split("\n", 1)
    assert valid(yaml.safe_load(content))
    named = Path(path.parent, first.removeprefix("# yaml-language-server: $schema="))
    assert json.loads(named.read_text(encoding="utf-8"))["title"] == "A grid file of mtalign"


CHANGES = [  # key, value: refused by both, or by neither
    ("grid.model", []), ("grid.model", "micro-a"), ("grid.task", ["logic", "logic"]), ("grid.seed", [0.5]),
    ("grid.seed", [-1]), ("grid.warm_up", {"dose": [0.5], "seed": [0]}), ("grid.warm_up", {"dose": [2.0], "seed": [0]}),
    ("grid.warm_up", {"dose": {"logic": [0.5]}, "seed": [0]}), ("grid.warm_up", {"dose": {"logic": 0.5}, "seed": [0]}),
    ("grid.warm_up", {"dose": [0.5]}), ("grid.warm_up", {"dose": [0.5], "seed": [0], "documents": 0}), ("grid.speed", [1]), ("grid.arm", ["my_arm"]), ("fixed.max_stepz", 3), ("fixed.max_steps", "4"),
    ("fixed.max_steps", -1), ("fixed.learning_rate", "1e-3"), ("fixed.learning_rate", 0), ("fixed.learning_rate", 1),
    ("fixed.bf16", 1), ("fixed.num_generations", 0), ("fixed.random_probability", 1.5), ("fixed.adam_beta2", 1.0), ("fixed.loss_type", "sum"), ("fixed.reward", "nothing"),
    ("fixed.reward", "tests_of:mine"), ("fixed.model", "micro-a"), ("fixed", None), ("fixed", [1]), ("notebook", {}),
    ("notebooks.once", {}), ("notebooks.each", None), ("resources.gpus", -1), ("resources.gpu", 1), ("resources.cpus", 0),
    ("resources.trl", {"vllm_mode": "colocate"}), ("arms.my_arm", {"reward": "random"}), ("arms.my_arm", {"kind": 1}),
    ("arms.my_arm", None),
]  # fmt: skip


@pytest.mark.parametrize("key, value", CHANGES)
def test_a_wrong_key_type_or_value_is_refused_by_both(tmp_path, key, value, monkeypatch):
    (tmp_path / "tests_of.py").write_text("def mine(completions, **_):\n    return [0.0] * len(completions)\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = {"grid": {"model": ["micro-a"], "task": ["logic"], "arm": ["base", "my_arm"], "seed": [0]}}
    content |= {"fixed": {"max_steps": 4}, "arms": {"my_arm": {"reward": "random"}}, "notebooks": {}, "resources": {}}
    part, _, name = key.rpartition(".")
    (content[part] if part else content)[name] = value
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(content))
    try:
        accepted = bool(load_grid(file).runs)
    except ConfigError:
        accepted = False
    assert valid(yaml.safe_load(file.read_text())) == accepted


def test_fields_have_their_comments_and_bounds_for_editors():
    settings = grid_schema()["definitions"]["settings"]["properties"]
    ends = {"minimum": 0, "maximum": 10**9}
    assert settings["warmup_steps"] == {"type": "integer", "default": 0, **ends, "description": "updates"}
    assert settings["temperature"]["exclusiveMinimum"] == 0 and "model" not in settings
