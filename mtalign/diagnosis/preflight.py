"""Preflight: does a model understand what a run would ask of it? Whether it stops, keeps the format, and in which style."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

import torch
from transformers import DynamicCache, StoppingCriteria

from mtalign.config.arms import Style
from mtalign.config.errors import ConfigError
from mtalign.generation.prompts import continued, render
from mtalign.grading.answers import extract, grade
from mtalign.tasks.base import Example, Task
from mtalign.tasks.rows import demonstrations

LONGEST = 0.9  # share of completions cut off from which a run is meaningless
SECONDS = 60.0  # of sampling; with loading a model the command ends within 90
ENOUGH = 0.5  # share of completions with an answer from which a style is kept to


@dataclass(frozen=True)
class Tried:
    """One style of prompts.

    Attributes:
        prompt, tokens: exactly what the model is given for the first question, and its length.
        ended, answered, right: shares of the completions that end by themselves, hold an answer, and a right one.
        completion: one of them.
    """

    style: Style
    prompt: str
    tokens: int
    ended: float
    answered: float
    right: float
    completion: str


@dataclass(frozen=True)
class Preflight:
    """What a run would see.

    Attributes:
        task: its name.
        tried: each style, best first: by answers, then by right ones, then by completions that end.
        completions: of each style.
        max_tokens: of a completion, as far as sampling got in its time (`hurried`: it did not get to the end).
        special: name -> (token, id); eos: the id that ends a completion; eos_of_model: those that its generation settings name.
    """

    task: str
    tried: tuple[Tried, ...]
    completions: int
    max_tokens: int
    hurried: bool
    special: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)
    chat_template: bool = False
    eos: int = 0
    eos_of_model: tuple[int | None, ...] = ()

    @property
    def best(self) -> Tried:
        """The style to use."""
        return self.tried[0]


@dataclass(frozen=True)
class Sampling:
    """What is sampled.

    Attributes:
        styles: of prompts, to try; a task of the micro world has none, and is asked as it is.
        prompts: questions.
        samples: of a question in each style; None for 2 in each of several styles, else 4.
        max_tokens: of a completion, as `max_completion_length` of the run; None for 20 on a micro task, else 256.
    """

    styles: tuple[Style, ...] = get_args(Style)
    prompts: int = 4
    samples: int | None = None
    max_tokens: int | None = None
    temperature: float = 1.0


def preflight(
    model, tokenizer, task: Task, asked: Sampling | None = None, progress: Callable[[int, float], None] | None = None
) -> Preflight:
    """Samples a few completions in each style, all in one batch, and says what training would see.

    There a completion goes on after its answer, so that here it does, too.

    Args:
        progress: called with the tokens so far and the seconds since the start.

    Raises:
        ConfigError: a run would be meaningless; the line says why.
    """
    asked = asked or Sampling()
    max_tokens = asked.max_tokens or (256 if task.instruction else 20)
    examples = (task.train or task.eval)[: asked.prompts]
    styles = asked.styles if task.instruction else asked.styles[:1]
    number, shown = asked.samples or (2 if styles[1:] else 4), demonstrations(task)
    texts = [render(tokenizer, e.prompt, task.instruction, style, shown) for style in styles for e in examples]
    lengths = _check(model, tokenizer, task, texts, max_tokens)
    drawn, ended, got = _sample(model, tokenizer, texts, number, max_tokens, asked.temperature, progress)
    each = len(examples) * number
    tried = []
    for place, style in enumerate(styles):
        part, first = slice(place * each, (place + 1) * each), place * len(examples)
        tried.append(_tried(style, texts[first], lengths[first], task, examples, drawn[part], ended[part]))
    tried.sort(key=lambda one: (one.answered, one.right, one.ended), reverse=True)
    hurried = got < max_tokens and not all(ended)
    if not hurried and all(1 - one.ended > LONGEST for one in tried):
        raise ConfigError(
            f"preflight: {1 - tried[0].ended:.0%} of {each} completions do not end within {got} tokens: raise"
            f" max_completion_length, lower the temperature, or take a model that ends its answers (eos"
            f" {tokenizer.eos_token!r}); one of them ends in {tried[0].completion[-60:]!r}"
        )
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    own = model.generation_config.eos_token_id
    return Preflight(
        task.name, tuple(tried), each, got, hurried,
        {name: (getattr(tokenizer, name), getattr(tokenizer, f"{name}_id")) for name in names},
        bool(tokenizer.chat_template), tokenizer.eos_token_id, tuple(own) if isinstance(own, list) else (own,),
    )  # fmt: skip


def _check(model, tokenizer, task: Task, texts: list[str], max_tokens: int) -> list[int]:
    """The lengths of the prompts in tokens.

    Raises:
        ConfigError: no completion can end, or a prompt does not fit or cannot be written.
    """
    if tokenizer.eos_token_id is None:  # sampling and trl end a completion at this one alone
        raise ConfigError("preflight: the tokenizer has no eos token, so that no completion ever ends")
    encoded = [tokenizer(text)["input_ids"] for text in texts]
    window = getattr(model.config, "max_position_embeddings", None)
    longest = max(map(len, encoded))
    if window and longest + max_tokens > window:
        raise ConfigError(
            f"preflight: a prompt of {longest} tokens and {max_tokens} more do not fit the model's {window} positions"
        )
    if tokenizer.unk_token_id is not None and any(tokenizer.unk_token_id in ids for ids in encoded):
        raise ConfigError(
            f"preflight: the tokenizer cannot write the prompts of {task.name}: it has no token for a part"
        )
    return list(map(len, encoded))


class _Clock(StoppingCriteria):
    """Ends sampling when its time is over, and tells how far it is."""

    def __init__(self, start: int, progress: Callable[[int, float], None] | None):
        self.start, self.progress, self.began = start, progress, time.monotonic()

    def __call__(self, ids, scores, **_):
        seconds = time.monotonic() - self.began
        if self.progress:
            self.progress(ids.shape[1] - self.start, seconds)
        return torch.full((ids.shape[0],), seconds > SECONDS, device=ids.device)


def _sample(
    model, tokenizer, texts: list[str], number: int, max_tokens: int, temperature: float, progress
) -> tuple[list[str], list[bool], int]:
    """Completions of all texts in one batch, whether each ended by itself, and the tokens that there was time for."""
    torch.manual_seed(0)
    inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left").to(model.device)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]  # (P, T)
    clock, cache = _Clock(ids.shape[1], progress), DynamicCache(config=model.config)
    with torch.inference_mode():  # a prompt is read once for all its samples: reading costs most
        read = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)[:, :-1], "attention_mask": mask[:, :-1]}
        model(ids[:, :-1], past_key_values=cache, logits_to_keep=1, **read)
        cache.batch_repeat_interleave(number)
        out = model.generate(
            input_ids=ids.repeat_interleave(number, dim=0), attention_mask=mask.repeat_interleave(number, dim=0),
            past_key_values=cache, max_new_tokens=max_tokens, do_sample=True, temperature=temperature, top_k=0,
            top_p=1.0, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, stopping_criteria=[clock],
        )[:, ids.shape[1] :]  # fmt: skip
    drawn = tokenizer.batch_decode(out, skip_special_tokens=True)
    asked = [text for text in texts for _ in range(number)]
    whole = [continued(text, completion) for text, completion in zip(asked, drawn, strict=True)]
    return whole, (out == tokenizer.eos_token_id).any(dim=1).tolist(), out.shape[1]


def _tried(
    style: Style,
    prompt: str,
    tokens: int,
    task: Task,
    examples: tuple[Example, ...],
    drawn: list[str],
    ended: list[bool],
) -> Tried:
    copies = len(drawn) // len(examples)
    asked = [example for example in examples for _ in range(copies)]
    kinds = [e.kind or task.kind for e in asked]
    answered = [extract(text, kind) is not None for text, kind in zip(drawn, kinds, strict=True)]
    right = [grade(text, e.answer, kind) for text, e, kind in zip(drawn, asked, kinds, strict=True)]
    shares = [sum(found) / len(drawn) for found in (ended, answered, right)]
    return Tried(style, prompt, tokens, *shares, drawn[0])


def in_words(found: Preflight) -> str:
    """The result for the terminal: what a person needs first, the details after."""
    best = found.best
    lines = []
    if found.hurried:
        lines.append(
            f"NOT KNOWN for sure: in {SECONDS:.0f} s there was time for {found.max_tokens} tokens only; try again on a quieter"
            " machine, or with fewer --prompts"
        )
    no = "NOT KNOWN whether" if found.hurried else "NO: whether"
    lines += [
        f"{'yes,' if best.ended >= ENOUGH else no} it stops: {best.ended:.0%} of the completions end within"
        f" {found.max_tokens} tokens",
        f"{'yes,' if best.answered >= ENOUGH else no} it keeps the format: {best.answered:.0%} hold an answer,"
        f" {best.right:.0%} a right one",
        _advice(found),
        "",
    ]
    if len(found.tried) > 1:
        lines.append(f"  {'style':8} {'ends':>6} {'answers':>8} {'right':>6}  of {found.completions} completions each")
        lines += [f"  {t.style:8} {t.ended:6.0%} {t.answered:8.0%} {t.right:6.0%}" for t in found.tried] + [""]
    special = ", ".join(f"{name.removesuffix('_token')} {t!r} ({i})" for name, (t, i) in found.special.items())
    more = "" if (found.eos,) == found.eos_of_model else f" (the model's settings: {list(found.eos_of_model)})"
    return "\n".join(
        [
            *lines,
            f"prompt, {best.tokens} tokens, {'with' if found.chat_template else 'without'} a chat template:",
            repr(best.prompt),
            f"special tokens: {special}; a completion ends at {found.eos}{more}",
            f"one completion: {best.completion!r}",
        ]
    )


def _advice(found: Preflight) -> str:
    """Which style to use, in a line."""
    best = found.best
    if best.answered < ENOUGH and found.hurried:
        return "which style to use is not known"
    if best.answered < ENOUGH:
        return (
            "no style makes it answer: take a model that is tuned for instructions, or train on worked examples first"
        )
    if len(found.tried) == 1:
        return "a run with it makes sense"
    return f"use style {best.style}: `--style {best.style}`, or `fixed: style: {best.style}` in a grid file"
