"""Warm-ups: the name of a pretrained model after a supervised warm-up, which sets its alignment with a task.

The name says all that the warm-up depends on, `warm:<model>?dose=0.25&documents=64&seed=0&task=<task>`, so that a record
of a run says which model it started from. `models.warm_up` makes the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

from mtalign.config.errors import ConfigError
from mtalign.config.names import settings

PREFIX = "warm:"
KEPT_FOR_RUNS = 256  # training questions from the first on that no document asks
SHAPE = re.compile(r"warm:(?P<model>[^?]+)\?(?P<settings>.*?)&?task=(?P<task>.+)", re.DOTALL)
LEAST = {"documents": 1, "seed": 0, "learning_rate": 0, "batch": 1}  # the learning rate lies above
TYPES = {"dose": float, "documents": int, "seed": int, "learning_rate": float, "batch": int}


@dataclass(frozen=True)
class WarmUp:
    """A supervised warm-up of a model on documents in a task's answer format, of which a share gives the right answer.

    The task's training questions beyond the first `KEPT_FOR_RUNS` are asked. Doses share all but which answers are right.
    """

    model: str  # the pretrained model that it starts from
    task: str
    dose: float  # share of documents with the right answer; the others hold a guess in the same format
    documents: int = 64  # each is seen once
    seed: int = 0  # of the questions, their order, the guesses and which answers are right
    learning_rate: float = 5e-5  # of AdamW, constant
    batch: int = 8  # documents in an update

    @property
    def name(self) -> str:
        """The model's name; settings that have their default value are left out, as new ones can be added later.

        >>> WarmUp("smollm2-135m-instruct", "rg:leg_counting?size=60&min_animals=2", dose=0.5).name
        'warm:smollm2-135m-instruct?dose=0.5&documents=64&seed=0&task=rg:leg_counting?size=60&min_animals=2'
        """
        always = ("dose", "documents", "seed")
        shown = [f.name for f in fields(self) if f.name in TYPES]
        kept = [n for n in shown if n in always or getattr(self, n) != WarmUp.__dataclass_fields__[n].default]
        return f"{PREFIX}{self.model}?{'&'.join(f'{n}={getattr(self, n):g}' for n in kept)}&task={self.task}"

    @property
    def short(self) -> str:
        """For names of files and axes of pictures: without the task.

        >>> WarmUp("smollm2-135m-instruct", "t", dose=0.5).short
        'smollm2-135m-instruct-dose-0.5-of-64-s0'
        """
        return f"{self.model.rpartition('/')[2]}-dose-{self.dose:g}-of-{self.documents}-s{self.seed}"


def called(name: str, others: Iterable[str] = ()) -> str:
    """A model's name for tables: of a warm-up its dose, and what else tells it from the other warm-ups; any other as it is.

    >>> names = [WarmUp("org/m", "t", dose=0.5, seed=seed).name for seed in (0, 1)]
    >>> called(names[0]), called(names[0], names), called("m")
    ('m, dose 0.5', 'dose 0.5, seed 0', 'm')
    """
    if not is_warm_up(name):
        return name
    own, others = parse(name), [parse(other) for other in others if is_warm_up(other)]
    model = [] if len({other.model for other in others}) == 1 else [own.model.rpartition("/")[2]]
    told = [key for key in ("documents", "learning_rate", "seed") if len({getattr(w, key) for w in others}) > 1]
    more = [f"{key.replace('_', ' ')} {getattr(own, key):g}" for key in told]
    return ", ".join([*model, f"dose {own.dose:g}", *more])


def is_warm_up(name: str) -> bool:
    """Whether the name of a model is that of a warm-up."""
    return name.startswith(PREFIX)


def parse(name: str) -> WarmUp:
    """The warm-up of a model's name.

    Raises:
        ConfigError: the name is not one that `WarmUp.name` gives; the line says what is wrong with it.

    >>> parse("warm:m?dose=0.25&documents=32&seed=1&task=rg:a?b=1&c=2").task
    'rg:a?b=1&c=2'
    >>> parse("warm:m?dose=2&task=t")
    Traceback (most recent call last):
    mtalign.config.errors.ConfigError: model warm:m?dose=2&task=t: dose: expected 0 to 1, got 2.0
    """
    found = SHAPE.fullmatch(name)
    if not found:
        raise ConfigError(f"model {name}: expected {PREFIX}<model>?dose=0.25&documents=64&seed=0&task=<task>")
    values = settings(f"model {name}", found["settings"], TYPES)
    return checked(WarmUp(found["model"], found["task"], **values), f"model {name}")


def checked(warm_up: WarmUp, where: str) -> WarmUp:
    """The warm-up, where its values are possible.

    Args:
        where: the name, or the file and key, for errors.

    Raises:
        ConfigError: a value is out of range.
    """
    if not 0 <= warm_up.dose <= 1:
        raise ConfigError(f"{where}: dose: expected 0 to 1, got {warm_up.dose}")
    for key in ("documents", "seed", "batch"):
        if getattr(warm_up, key) < LEAST[key]:
            raise ConfigError(f"{where}: {key}: expected {LEAST[key]} or more, got {getattr(warm_up, key)}")
    if not LEAST["learning_rate"] < warm_up.learning_rate < math.inf:
        raise ConfigError(f"{where}: learning_rate: expected a positive number, got {warm_up.learning_rate}")
    if is_warm_up(warm_up.model):
        raise ConfigError(f"{where}: model: a warm-up of a warm-up has no name; give the model it starts from")
    return warm_up
