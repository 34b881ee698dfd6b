"""Models, tasks and rewards of one's own: `module:function` wherever a grid file or a notebook names one of ours.

| for | the function takes | and gives |
| --- | --- | --- |
| a model | nothing | (model, tokenizer) of transformers, the same each time |
| a task | nothing | a `tasks.Task`, the same each time |
| a reward | what trl gives a reward function, as keywords (see `rewards`) | a number, or None, for each completion |

Such an entry imports and runs code: that is what it asks for, by name, and the only way to have code run here. A record
keeps the digest of the module, and is stale when the module has changed.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from mtalign.config.errors import in_one_line

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_plugin(name: object) -> bool:
    """Whether it is a name of the form `module:function`.

    >>> is_plugin("my.rewards:short"), is_plugin("micro-a"), is_plugin("a/b:c"), is_plugin("random")
    (True, False, False, False)
    """
    return isinstance(name, str) and NAME.fullmatch(name) is not None


@lru_cache
def find(name: str) -> Callable:
    """The function that `module:function` names.

    Raises:
        KeyError: it cannot be imported, or is no function.

    >>> find("mtalign.nothing:x")
    Traceback (most recent call last):
    KeyError: "mtalign.nothing:x: cannot be imported (ModuleNotFoundError: No module named 'mtalign.nothing'); is its folder on PYTHONPATH?"
    """
    module, _, function = name.partition(":")
    try:
        imported = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:  # whatever a module of somebody else's does when imported
        raise KeyError(f"{name}: cannot be imported ({in_one_line(error)}); is its folder on PYTHONPATH?") from None
    if not callable(imported):
        raise KeyError(f"{name}: is not a function")
    return imported


def call(name: str) -> object:
    """What the function that `module:function` names gives, without arguments.

    Raises:
        KeyError: it cannot be imported, or it fails; also where it wants to end the command.
    """
    function = find(name)
    try:
        return function()
    except (Exception, SystemExit) as error:  # whatever a function of somebody else's does
        raise KeyError(f"{name}: fails ({in_one_line(error)})") from None


def digests(config: dict) -> dict[str, str]:
    """SHA-256 of the module file of each entry `module:function` among a run's fields.

    >>> digests({"model": "micro-a", "task": "logic", "reward": "random"})
    {}
    """
    found = {}
    for name in (config["model"], config["task"], config["reward"]):
        if is_plugin(name):
            find(name)
            file = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
            found[name] = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    return found
