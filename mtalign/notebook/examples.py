"""An example of each task: a prompt, a right completion and a wrong one, as an untrained model wrote them."""

from __future__ import annotations

from collections.abc import Iterable

from mtalign.config.errors import ConfigError
from mtalign.grading.answers import grade
from mtalign.tasks.registry import load_task

NONE = {"right": "none of the completions that were kept is right", "wrong": "none of those that were kept is wrong"}


def examples(base: Iterable[dict]) -> list[dict[str, str]]:
    """One for each task, the first prompt of which a kept completion is right; both completions are of that prompt where
    there are such.

    Args:
        base: records of untrained models, which keep ten completions each.

    Returns:
        Dicts: task, prompt, answer, right and wrong; where no completion is so, the words of `NONE`.
    """
    kept: dict[str, list[dict]] = {}
    for record in base:
        kept.setdefault(record["config"]["task"], []).extend(record["after"].get("samples", []))
    return [_example(task, samples) for task, samples in kept.items() if samples]


def _example(task: str, samples: list[dict]) -> dict[str, str]:
    kind = _kind(task)
    sides: dict[bool, list[dict]] = {True: [], False: []}
    for sample in samples:
        sides[grade(sample["completion"], sample["answer"], kind)].append(sample)
    shown = next(iter(sides[True] or sides[False]))
    beside = [s for s in sides[False] if s["prompt"] == shown["prompt"]] or sides[False]
    wrong = beside[0]["completion"] if beside else NONE["wrong"]
    if beside and beside[0]["prompt"] != shown["prompt"]:
        wrong = f"{wrong} (to another prompt: {beside[0]['prompt']})"
    right = shown["completion"] if sides[True] else NONE["right"]
    return {"task": task, "prompt": shown["prompt"], "answer": shown["answer"], "right": right, "wrong": wrong}


def _kind(task: str) -> str:
    """How the task is graded; exactly, where the task cannot be loaded on this machine."""
    try:
        return load_task(task).kind
    except ConfigError:
        return "exact"
