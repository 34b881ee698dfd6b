"""Models: a name -> (model, tokenizer). The shipped micro models, any local folder of transformers with safetensors, or
a function of one's own (see `plugins`). Pretrained models, from packages and from the Hub, are found in `packaged`; a
warm-up of one of them (`config.warm_up`) is made when it is first loaded."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from mtalign.config import paths, plugins
from mtalign.config.errors import ConfigError
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.models import dialled, warm_up
from mtalign.tasks.micro import MICRO
from mtalign.tasks.registry import load_task

SAFE = {
    "local_files_only": True,
    "trust_remote_code": False,
}  # explicit: where it is not, transformers asks the terminal


def checkpoint(name: str) -> Path | None:
    """The folder of the model called `name`: a shipped micro model, or a local folder with a `config.json`.

    Returns:
        None for a model of `packaged`, a warm-up or a micro model built on demand, which have no folder before they are
        loaded.

    Raises:
        KeyError: there is no such model.
        ConfigError: it needs a package that is missing, or a revision.
    """
    if dialled.is_dialled(name):
        dialled.parse(name)
        return None
    if is_warm_up(name):
        checkpoint(parse(name).model)
        load_task(parse(name).task)
        return None
    shipped = paths.CHECKPOINTS / name
    for folder in (shipped, paths.given(name)):
        if name and (folder / "config.json").is_file():
            return folder
    from mtalign.models import packaged

    if packaged.check(name):
        return None
    shipped = [p.name for p in paths.CHECKPOINTS.iterdir()] if paths.CHECKPOINTS.is_dir() else []
    near = get_close_matches(name, (*sorted(shipped), *packaged.PACKAGED), 3, 0.5)
    raise KeyError(
        f"unknown model {name!r}{'; nearest: ' if near else ''}{', '.join(near)}; all are in `mtalign list models`; your own:"
        " a folder with a config.json, a Hub id org/name@revision, or micro:<task>?dose=.."
    )


def is_micro(name: str) -> bool:
    """Whether it is a micro model: of the package, or built on demand."""
    return dialled.is_dialled(name) or is_shipped(name)


def is_shipped(name: str) -> bool:
    """Whether it is a micro model of the package; a folder of one's own is not, by whatever path."""
    folder = paths.CHECKPOINTS / name
    return folder.parent == paths.CHECKPOINTS and (folder / "config.json").is_file()


def load_model(name: str, exact: bool = True, bf16: bool = False):
    """The model in float32, in evaluation mode, and its tokenizer, padded on the left. Runs no remote code.

    Args:
        exact: whether it computes what transformers does to the last bit; else, on a CPU, up to rounding and faster.
        bf16: whether one that is not exact multiplies in bfloat16, on a CPU that does.

    Raises:
        KeyError: there is no such model.
        ConfigError: it cannot be had; the line says what to do.

    >>> model, tokenizer = load_model("micro-a")  # doctest: +SKIP
    """
    import torch

    if plugins.is_plugin(name):
        torch.manual_seed(0)
        return _own_model(name)
    folder, options = dialled.built(name) if dialled.is_dialled(name) else checkpoint(name), SAFE
    if folder is None:
        from mtalign.models import packaged

        folder = warmed(name) if is_warm_up(name) else packaged.folder(name)
        if folder is None:
            folder, options = packaged.hub_arguments(name)
            try:
                return _load(folder, options, exact, bf16)
            except (OSError, ValueError) as error:
                raise packaged.hub_error(name, error) from None
    return _load(folder, options, exact, bf16)


def _own_model(name: str):
    """What the function `module:function` gives, checked.

    Raises:
        KeyError: it fails, or gives no pair of a model and a tokenizer of transformers.
    """
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    given = plugins.call(name)
    is_pair = isinstance(given, tuple) and len(given) == 2
    if not is_pair or not all(map(isinstance, given, (PreTrainedModel, PreTrainedTokenizerBase))):
        raise KeyError(f"{name}: gives {type(given).__name__} and not (model, tokenizer) of transformers")
    model, tokenizer = given
    return model.eval(), tokenizer


def warmed(name: str, progress=None) -> Path:
    """The folder of a warm-up, made where it is not in the cache yet.

    Args:
        progress: called with the number of documents seen.

    Raises:
        KeyError, ConfigError: it cannot be had; the line says what to do.
    """
    wanted = parse(name)
    if warm_up.is_made(wanted):
        return warm_up.place(wanted)
    return warm_up.make(wanted, *load_model(wanted.model), progress)


def _load(folder: str | Path, options: dict, exact: bool, bf16: bool):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from mtalign.speed.cpu import quicken, use_bfloat16

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **options)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True, **options)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if "WORLD_SIZE" not in os.environ:  # of several processes each has a GPU of its own, which trl finds
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        quicken(model, exact)
        if bf16 and not exact:
            use_bfloat16(model)
    return model.eval(), tokenizer


def check_names(pairs: list[tuple[str, str]], where: str = "notebook") -> None:
    """Raises `ConfigError` where a model or a task is unknown, or a function gives no model."""
    for model, task in pairs:
        find = _check_own_model if plugins.is_plugin(model) else checkpoint
        for key, look_up, name in (("model", find, model), ("task", load_task, task)):
            if key == "task" and name in MICRO:
                continue  # there, and slow to draw
            try:
                look_up(name)
            except (KeyError, ConfigError) as error:
                raise ConfigError(f"{where}: {key}: {error.args[0]}") from None


@lru_cache
def _check_own_model(name: str) -> None:
    """Makes the model once, so that nonsense is said before anything is computed."""
    load_model(name)
