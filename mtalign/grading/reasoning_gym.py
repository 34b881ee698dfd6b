"""Answers scored by reasoning-gym's own verifiers, each in a process of its own (`sandbox`): they are neither bounded nor safe.

A question's kind says all that its verifier needs, `rg:<dataset>?<settings as JSON>#<index>`, so that any process can grade
it without having made the task.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache, partial

from mtalign.grading.sandbox import START_SECONDS, sandbox

SECONDS = 1.6  # of wall-clock for a verdict, once the sandbox runs and has the data set; what takes longer is wrong
MAX_ANSWER = 2000  # characters; a longer answer is wrong


def kind(dataset: str, settings: dict, index: int) -> str:
    """The kind of a question of a data set of reasoning-gym.

    >>> kind("leg_counting", {"seed": 1, "size": 9}, 3)
    'rg:leg_counting?{"seed": 1, "size": 9}#3'
    """
    return f"rg:{dataset}?{json.dumps(settings)}#{index}"


def grader(kind: str) -> Callable[[str, str], bool]:
    """What compares an answer with the truth, by the verifier that the kind names.

    Raises:
        KeyError: it is no kind of reasoning-gym's.
    """
    dataset, mark, rest = kind.removeprefix("rg:").partition("?")
    settings, hash_, index = rest.rpartition("#")
    if not (kind.startswith("rg:") and mark and hash_ and index.isdecimal()):
        raise KeyError(kind)
    return partial(_is_right, dataset, settings, int(index))


def _is_right(dataset: str, settings: str, index: int, answer: str, truth: str) -> bool:
    """Whether the verifier of reasoning-gym gives full marks within `SECONDS`."""
    answer = answer.strip()
    if answer == truth.strip():
        return True
    if not answer or len(answer) > MAX_ANSWER:
        return False
    _warm_up(dataset, settings, os.getpid())
    return (_ask(dataset, settings, index, answer, SECONDS) or 0.0) >= 1 - 1e-9


def _ask(dataset: str, settings: str, index: int, answer: str, seconds: float) -> float | None:
    request = {"dataset": dataset, "settings": json.loads(settings), "index": index, "answer": answer}
    return sandbox("reasoning-gym").ask(request, seconds)


@lru_cache
def _warm_up(dataset: str, settings: str, process: int) -> None:
    """Lets the sandbox make the data set, which may take longer than a verdict."""
    _ask(dataset, settings, 0, "", START_SECONDS)
