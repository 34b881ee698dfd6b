"""Diagnose: how well is a model aligned with a task, and which techniques are to be expected to work there?

Alignment is measured as in the study, question after question until its interval is narrow enough, or read from samples
that there are already (`sample_logs`). Intervals are Wilson's over questions: a question counts as one coin, however many
samples it has, which is conservative, holds for few questions, and is not fooled by questions that all agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from mtalign.config.arms import Style
from mtalign.diagnosis.card import FEW_ANSWERS, FEWEST, Card, card
from mtalign.diagnosis.samples import Sampled, answer_rate, decisive, measure, tally

STEPS = (0, 2, 6, 12, *range(20, 10_000, 8))  # questions after which there is an estimate: the first one soon


@dataclass(frozen=True)
class Budget:
    """How much is sampled, and how.

    Attributes:
        samples: of a question, at least 4; None for 64 of a shipped model, else 8.
        prompts: questions, at most.
        precision: half the width of the interval of chance-corrected pass@4 from which on it is narrow enough.
        max_tokens: of a completion; None for 20 on a micro task, else 128.
        style: of prompts; None for `think`, or for `direct` where too few completions of `think` hold an answer (`chosen`).
    """

    samples: int | None = None
    prompts: int = 100
    precision: float = 0.1
    max_tokens: int | None = None
    temperature: float = 1.0
    style: Style | None = None
    seed: int = 0


def chosen(draw: Callable[[Style], list[Sampled]]) -> tuple[Style, list[Sampled], str]:
    """The style to ask in where none was given, its samples, and what a reader should know of the choice.

    It is `think`, unless fewer than half of its completions hold an answer and more of those of `direct` do. What is right plays no
    part, so that the choice makes no model look better aligned than it is in that style.

    Args:
        draw: samples of the first questions in a style.

    >>> from collections import Counter
    >>> drawn = {"think": [Sampled(4, 0, Counter({None: 4}))], "direct": [Sampled(4, 1, Counter({"7": 4}))]}
    >>> style, _, said = chosen(drawn.get)
    >>> style, said
    ('direct', 'asked in the style direct: of the first completions 0% held an answer in the style think, 100% in this one')
    """
    found: dict[Style, list[Sampled]] = {}
    shares: dict[Style, float] = {}
    for style in ("think", "direct"):
        found[style] = draw(style)
        shares[style] = answer_rate(found[style])
        if shares[style] >= FEW_ANSWERS:
            break
    best = max(shares, key=shares.__getitem__)
    if best == "think":
        return best, found[best], ""
    said = f"of the first completions {shares['think']:.0%} held an answer in the style think, {shares[best]:.0%} in this one"
    return best, found[best], f"asked in the style {best}: {said}"


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

    def ask(style: Style, start: int, end: int) -> list[Sampled]:
        texts = [render(tokenizer, e.prompt, known.instruction, style, shown) for e in examples[start:end]]
        drawn = sample(loaded, tokenizer, texts, number, tokens, budget.seed + start, budget.temperature)
        return [
            tally(d, e.answer, e.kind or known.kind, known.chance_of(e), e.options)
            for d, e in zip(drawn, examples[start:end], strict=True)
        ]

    style, first, note = budget.style or "think", [], ""
    if budget.style is None and known.instruction:  # a micro task is asked as it is
        style, first, note = chosen(lambda style: ask(style, *STEPS[:2]))

    def batches() -> Iterator[list[Sampled]]:
        for start, end in pairwise(STEPS):
            if start < len(examples):
                yield first if first and start == 0 else ask(style, start, end)

    settings = {"temperature": budget.temperature, "style": style, "seed": budget.seed, "max_tokens": tokens}
    found: Card | None = None
    try:
        for sampled in sequential(batches(), known.chance, budget.precision):
            found = card(sampled, model, task, known.chance, known.chance_is)
            found = replace(found, settings=settings, notes=(*found.notes, *([note] if note else [])))
            if progress:
                progress(found, time.monotonic() - began)
    except KeyboardInterrupt:
        if found is None:
            raise
        return replace(found, stopped="interrupted")
    assert found is not None  # a task has questions
    stopped = "no more questions" if found.prompts == len(examples) else "the interval is narrow enough"
    return replace(found, stopped=stopped)
