"""Diagnose: how well is a model aligned with a task, and which techniques are to be expected to work there?

Alignment is measured as in the study, question after question until its interval is narrow enough, or read from samples
that there are already (`sample_logs`). Intervals are Wilson's over questions: a question counts as one coin, however many
samples it has, which is conservative, holds for few questions, and is not fooled by questions that all agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from mtalign.config.arms import Style
from mtalign.diagnosis.card import FEWEST, Card, card
from mtalign.diagnosis.samples import Sampled, decisive, measure, tally

STEPS = (0, 2, 6, 12, *range(20, 10_000, 8))  # questions after which there is an estimate: the first one soon


@dataclass(frozen=True)
class Budget:
    """How much is sampled, and how.

    Attributes:
        samples: of a question, at least 4; None for 64 of a shipped model, else 8.
        prompts: questions, at most.
        precision: half the width of the interval of chance-corrected pass@4 from which on it is narrow enough.
        max_tokens: of a completion; None for 20 on a micro task, else 128.
    """

    samples: int | None = None
    prompts: int = 100
    precision: float = 0.1
    max_tokens: int | None = None
    temperature: float = 1.0
    style: Style = "think"
    seed: int = 0


def sequential(batches: Iterable[list[Sampled]], chance: float, precision: float) -> Iterator[list[Sampled]]:
    """All samples so far after each batch, until the decisive interval is at most `precision` to either side."""
    sampled: list[Sampled] = []
    for batch in batches:
        sampled = sampled + batch
        yield sampled
        found = measure(sampled, chance)
        level = found[decisive(found)]
        if len(sampled) >= FEWEST and (level["high"] - level["low"]) / 2 <= precision:
            return


def diagnose(
    model: str, task: str, budget: Budget | None = None, progress: Callable[[Card, float], None] | None = None
) -> Card:
    """Measures a model's alignment with a task by sampling held-out questions.

    Args:
        progress: called with each card so far and the seconds since the start. An interrupt keeps what there is.

    Raises:
        ConfigError: the model or the task cannot be had.
    """
    from mtalign.generation.prompts import render
    from mtalign.generation.sampling import sample
    from mtalign.models.load import check_names, is_micro, load_model
    from mtalign.speed.cpu import use_fastest_threads
    from mtalign.tasks.registry import load_task
    from mtalign.tasks.rows import demonstrations

    began, budget = time.monotonic(), budget or Budget()
    check_names([(model, task)], "diagnose")
    known, (loaded, tokenizer) = load_task(task), load_model(model, exact=False)
    if not is_micro(model):
        use_fastest_threads(loaded)
    number = budget.samples or (64 if is_micro(model) else 8)
    tokens = budget.max_tokens or (128 if known.instruction else 20)
    examples, shown = known.eval[: budget.prompts], demonstrations(known)

    def batches() -> Iterator[list[Sampled]]:
        for start, end in pairwise(STEPS):
            if batch := examples[start:end]:
                texts = [render(tokenizer, e.prompt, known.instruction, budget.style, shown) for e in batch]
                drawn = sample(loaded, tokenizer, texts, number, tokens, budget.seed + start, budget.temperature)
                yield [
                    tally(d, e.answer, e.kind or known.kind, known.chance_of(e), e.options)
                    for d, e in zip(drawn, batch, strict=True)
                ]

    settings = {key: asdict(budget)[key] for key in ("temperature", "style", "seed")} | {"max_tokens": tokens}
    found: Card | None = None
    try:
        for sampled in sequential(batches(), known.chance, budget.precision):
            found = replace(card(sampled, model, task, known.chance, known.chance_is), settings=settings)
            if progress:
                progress(found, time.monotonic() - began)
    except KeyboardInterrupt:
        if found is None:
            raise
        return replace(found, stopped="interrupted")
    assert found is not None  # a task has questions
    stopped = "no more questions" if found.prompts == len(examples) else "the interval is narrow enough"
    return replace(found, stopped=stopped)
