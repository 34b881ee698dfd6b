"""Base models with other dials than the shipped ones, named by their recipe and built on demand into the user cache:

    micro:arithmetic?dose=0.055&seed=1&size=650k&right=0.9&agree=0.5

| dial | what it sets | default |
| --- | --- | --- |
| dose | share of skilled demonstrations: how often the model works before it answers | none: it must be given |
| seed | of the initial weights and of the documents | 0 |
| size | parameters: 85k, 650k or 3m | 85k |
| right | share of skilled demonstrations whose working has no slip | 1 |
| agree | share of wrong guesses that are the question's own misconception (`tasks.micro.misconception`) | 0: spread evenly |

The shipped ladder sees one mixture of documents from the first to the last, so that a lower dose also means fewer skilled
demonstrations and a skill learned less well. Here the skill is learned first, at a dose of 0.8, and the same for
every dose (the same documents and weights); then the dose is set by a short stage with as many documents for all of them.
The same name gives the same bits on one machine; between machines rounding may differ, so a record keeps the digest.
"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.names import settings
from mtalign.tasks import micro as tasks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PREFIX = "micro:"
VERSION = 1  # raised when the code changes what a name gives, so that older builds in the cache are not found again


class Size(NamedTuple):
    """Of a micro model: hidden size, layers, heads; and its number of parameters in words."""

    shape: tuple[int, int, int]
    parameters: str


SIZES = {
    "85k": Size((64, 2, 4), "85 thousand"),
    "650k": Size((128, 4, 4), "0.65 million"),
    "3m": Size((256, 4, 8), "3 million"),
}
SKILL, DIAL = (800, 2e-3), (150, 3e-4)  # ours: updates and learning rate of both stages
SKILL_DOSE, BATCH = 0.8, 64  # ours


@dataclass(frozen=True)
class Recipe:
    """What a name says, checked."""

    task: str
    dose: float
    seed: int = 0
    size: str = "85k"
    right: float = 1.0
    agree: float = 0.0


def is_dialled(name: str) -> bool:
    """Whether it is the name of a base model built on demand."""
    return name.startswith(PREFIX)


def parse(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        KeyError: it is not one; the line names what is wrong.

    >>> parse("micro:arithmetic?dose=0.055&size=650k")
    Recipe(task='arithmetic', dose=0.055, seed=0, size='650k', right=1.0, agree=0.0)
    >>> parse("micro:arithmetic?doze=1")
    Traceback (most recent call last):
    KeyError: 'micro:arithmetic?doze=1: doze: unknown setting; known: dose, seed, size, right, agree'
    """
    task, _, query = name.removeprefix(PREFIX).partition("?")
    kinds = {"dose": float, "seed": int, "size": str, "right": float, "agree": float}
    if task not in tasks.MICRO:
        raise KeyError(f"{name}: {task!r} is no micro task; known: {', '.join(tasks.MICRO)}")
    try:
        recipe = Recipe(task, **settings(name, query, kinds))
    except ConfigError as error:
        raise KeyError(str(error)) from None
    for key in ("dose", "right", "agree"):
        if not 0 <= getattr(recipe, key) <= 1:
            raise KeyError(f"{name}: {key}: expected 0 to 1, got {getattr(recipe, key)}")
    if recipe.size not in SIZES:
        raise KeyError(f"{name}: size: unknown size {recipe.size!r}; known: {', '.join(SIZES)}")
    if recipe.right < 1 and not task.startswith("arithmetic"):
        raise KeyError(f"{name}: right: slips are defined for arithmetic tasks alone")
    if recipe.agree and task == "programs":
        raise KeyError(f"{name}: agree: misconceptions are not defined for programs")
    return recipe


def built(name: str) -> Path:
    """The folder of the base model of that name in the user cache; it is built where it is not there yet.

    Raises:
        KeyError: the name is not one.
    """
    recipe = parse(name)
    return _cached(recipe, f"dose-{recipe.dose:g}", _dialled)


def architecture(name: str) -> dict:
    """The numbers of its configuration, whether it is built or not.

    Raises:
        KeyError: the name is not one.
    """
    from mtalign.models.micro import configuration, tokenizer

    recipe = parse(name)
    return configuration(tokenizer([recipe.task]), *SIZES[recipe.size].shape).to_dict()


def digest(folder: Path) -> str:
    """SHA-256 of the weights in a folder: two builds with the same are the same model."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def _cached(recipe: Recipe, stage: str, build: Callable[[Recipe], PreTrainedModel]) -> Path:
    """The folder of what `build` gives, written whole or not at all; of several processes one builds."""
    rest = f"{recipe.task}-{recipe.size}-right-{recipe.right:g}-agree-{recipe.agree:g}-seed-{recipe.seed}"
    folder = paths.cache() / "micro" / f"v{VERSION}-{rest}-{stage}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "config.json").is_file():
            from mtalign.models.micro import tokenizer

            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
                unfinished = Path(temporary, "model")
                build(recipe).save_pretrained(unfinished)
                tokenizer([recipe.task]).save_pretrained(unfinished)
                os.replace(unfinished, folder)
    return folder


def _skilled(recipe: Recipe) -> PreTrainedModel:
    """The first stage: most documents are skilled."""
    import torch

    from mtalign.models.micro import tokenizer, untrained

    torch.manual_seed(recipe.seed)
    model = untrained(tokenizer([recipe.task]), *SIZES[recipe.size].shape)
    return _fitted(model, recipe, SKILL_DOSE, *SKILL)


def _dialled(recipe: Recipe) -> PreTrainedModel:
    """The second stage: the dose's share of the documents are skilled."""
    from transformers import Qwen2ForCausalLM

    model = Qwen2ForCausalLM.from_pretrained(_cached(recipe, "skill", _skilled), dtype="float32")
    return _fitted(model, recipe, recipe.dose, *DIAL)


def _fitted(model, recipe: Recipe, dose: float, steps: int, learning_rate: float) -> PreTrainedModel:
    import torch

    from mtalign.models.micro import fit, tokenizer
    from mtalign.speed.cpu import quicken

    torch.set_num_threads(1)
    quicken(model.train(), exact=False)
    fit(model, tokenizer([recipe.task]), documents(recipe, dose, f"{recipe.seed} {steps}"), steps, BATCH, learning_rate)
    return model.eval()


def documents(recipe: Recipe, dose: float, seed: str) -> Iterator[tuple[str, str]]:
    """Endless documents (prompt, completion), never of a training or evaluation prompt. Prompts, and what each is shown
    with, come from streams of random numbers of their own: of two doses all else is equal.

    >>> next(documents(parse("micro:arithmetic?dose=1"), 1.0, "0"))
    ('arithmetic: 3+2-1+2+2=', '<think>5468</think><answer>8</answer>')
    """
    from mtalign.models.micro import demonstration

    answers = tasks.load(recipe.task).answers
    rng = random.Random(f"shown {seed}")
    for example in tasks.pretraining_examples(recipe.task, random.Random(f"prompts {seed}")):
        draw, slips, agrees, guess = rng.random(), rng.random(), rng.random(), rng.choice(answers)
        slip = tasks.slipped(example, answers, rng) if example.prompt.startswith("arithmetic") else example
        if guess != example.answer and agrees < recipe.agree:
            guess = tasks.misconception(example, answers)
        shown = slip if slips >= recipe.right else example
        yield example.prompt, demonstration(shown, draw < dose, guess)
