"""Models: a name -> (model, tokenizer). The shipped micro models, any local folder of transformers with safetensors, or
a function of one's own (see `plugins`). Pretrained models, from packages and from the Hub, are found in `models_real`."""

from __future__ import annotations

import os
from pathlib import Path

from mtalign import paths, plugins
from mtalign.config import ConfigError
from mtalign.tasks import load_task

SAFE = {
    "local_files_only": True,
    "trust_remote_code": False,
}  # explicit: where it is not, transformers asks the terminal


def checkpoint(name: str) -> Path | None:
    """The folder of the model called `name`: a shipped micro model, or a local folder with a `config.json`.

    Returns:
        None for a model of `models_real`, which has no folder before it is loaded.

    Raises:
        KeyError: there is no such model.
        ConfigError: it needs a package that is missing, or a revision.
    """
    shipped = paths.CHECKPOINTS / name
    for folder in (shipped, paths.given(name)):
        if name and (folder / "config.json").is_file():
            return folder
    from mtalign import models_real

    if models_real.check(name):
        return None
    known = ", ".join(sorted(p.name for p in paths.CHECKPOINTS.iterdir())) if paths.CHECKPOINTS.is_dir() else "none"
    packaged = ", ".join(models_real.PACKAGED)
    raise KeyError(
        f"unknown model {name!r}; shipped: {known}; in packages: {packaged};"
        " or a local folder with a config.json, or a Hub id org/name@revision"
    )


def is_shipped(name: str) -> bool:
    """Whether it is a micro model of the package; a folder of one's own is not, by whatever path."""
    folder = paths.CHECKPOINTS / name
    return folder.parent == paths.CHECKPOINTS and (folder / "config.json").is_file()


def load_model(name: str, exact: bool = True):
    """The model in float32, in evaluation mode, and its tokenizer, padded on the left. Runs no remote code.

    Args:
        exact: whether it computes what transformers does to the last bit; else, on a CPU, up to rounding and faster.

    Raises:
        KeyError: there is no such model.
        ConfigError: it cannot be had; the line says what to do.

    >>> model, tokenizer = load_model("micro-a")  # doctest: +SKIP
    """
    import torch

    if plugins.is_plugin(name):
        torch.manual_seed(0)
        model, tokenizer = plugins.find(name)()
        return model.eval(), tokenizer
    folder, options = checkpoint(name), SAFE
    if folder is None:
        from mtalign import models_real

        folder = models_real.folder(name)
        if folder is None:
            folder, options = models_real.hub_arguments(name)
            try:
                return _load(folder, options, exact)
            except (OSError, ValueError) as error:
                raise models_real.hub_error(name, error) from None
    return _load(folder, options, exact)


def _load(folder: str | Path, options: dict, exact: bool):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from mtalign.fast import quicken

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **options)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True, **options)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if "WORLD_SIZE" not in os.environ:  # of several processes each has a GPU of its own, which trl finds
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        quicken(model, exact)
    return model.eval(), tokenizer


def check_names(pairs: list[tuple[str, str]], where: str = "notebook") -> None:
    """Raises `ConfigError` where a model or a task is unknown."""
    for model, task in pairs:
        find = plugins.find if plugins.is_plugin(model) else checkpoint
        for key, look_up, name in (("model", find, model), ("task", load_task, task)):
            try:
                look_up(name)
            except (KeyError, ConfigError) as error:
                raise ConfigError(f"{where}: {key}: {error.args[0]}") from None


def recipes() -> dict[str, dict[str, float]]:
    """The micro models of params/models.yaml: name -> dose of each task."""
    import yaml

    return yaml.safe_load((paths.shared("params") / "models.yaml").read_text(encoding="utf-8"))


def build_all(seed: int, out: Path, workers: int) -> list[str]:
    """Pretrains every micro model of params/models.yaml into `out`; a line for each says whether it equals the shipped one."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    out.mkdir(parents=True, exist_ok=True)
    names = recipes()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        folders = list(pool.map(_build, names, names.values(), [seed] * len(names), [out] * len(names)))
    lines = []
    for name, folder in zip(names, folders, strict=True):
        weights, shipped = folder / "model.safetensors", paths.CHECKPOINTS / name / "model.safetensors"
        same = shipped.is_file() and shipped.read_bytes() == weights.read_bytes()
        lines.append(f"{folder}: {'identical to' if same else 'differs from'} the shipped model, bit for bit")
    return lines


def _build(name: str, doses: dict[str, float], seed: int, out: Path) -> Path:
    from tqdm import tqdm

    from mtalign.micro import STEPS, build

    with tqdm(total=STEPS, desc=name, unit="update") as bar:
        return build(name, doses, seed, out, progress=lambda done: bar.update(done - bar.n))
