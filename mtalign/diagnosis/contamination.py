"""Contamination: does a model know a benchmark by heart? Partial-prompt completion, as in arXiv 2507.10532.

The model is given the first part of a question, without any template, and goes on greedily. A model that has read the
question completes it word for word, and may give its answer although the question was never finished. On questions
generated after its training neither can happen but by chance: they are the control.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from mtalign.claims.predictions import Judged, Outcomes
from mtalign.claims.verdicts import generator
from mtalign.config.errors import ConfigError
from mtalign.config.paths import write_whole
from mtalign.config.run import RECIPE
from mtalign.grading.answers import grade
from mtalign.speed.cpu import use_fastest_threads
from mtalign.stats import Estimate, bootstrap_ci, wilson
from mtalign.tasks.calculation import NAME

INSTALL = "pip install rouge-score==0.1.2"


def available(model: str, tasks: Sequence[str]) -> bool:
    """Whether the model, the tasks and rouge-score can be had; where not, a line says what is needed."""
    from mtalign.models.load import check_names

    try:
        check_names([(model, task) for task in tasks], "contamination")
        if find_spec("rouge_score") is None:
            raise ConfigError(f"contamination: needs the package rouge-score: {INSTALL}")
    except ConfigError as error:
        print(f"Skipped. {error}")
        return False
    return True


def cut(question: str, share: float) -> tuple[str, str]:
    """The first part of a question, that share of its words (at least one), and the rest.

    >>> cut("Tom has 3 pens and buys 2 more.", 0.5)
    ('Tom has 3 pens', 'and buys 2 more.')
    """
    words = question.split()
    number = max(1, round(share * len(words)))
    return " ".join(words[:number]), " ".join(words[number:])


def exact_match(continuation: str, rest: str) -> bool:
    """Whether the continuation begins with the rest of the question, spaces aside.

    >>> exact_match(" and buys 2  more. How many", "and buys 2 more."), exact_match("and buys 3 more.", "and buys 2 more.")
    (True, False)
    """
    return "".join(continuation.split()).startswith("".join(rest.split()))


def rouge_l(continuation: str, rest: str) -> float:
    """ROUGE-L (F measure; Lin 2004) between the rest of the question and as many words of the continuation."""
    from rouge_score.rouge_scorer import RougeScorer

    written = " ".join(continuation.split()[: len(rest.split())])
    return float(RougeScorer(["rougeL"]).score(rest, written)["rougeL"].fmeasure)


def measure(
    model: str, tasks: Sequence[str], shares: Sequence[float], questions: int, max_tokens: int, kept: str = ""
) -> pd.DataFrame:
    """Completes held-out questions from a part of them.

    Args:
        shares: of a question's words that are shown; 1.0 shows all: then the question is asked in the style `direct` of
            `prompts.render`, and only the answer is looked at.
        questions: of each task, at most.
        max_tokens: of a continuation.
        kept: a folder of continuations, where those that were drawn before are found again; "" draws all.

    Returns:
        A row for each task, share and question: task, fresh (generated here), share, shown, rest, continuation,
        exact_match and rouge_l (NaN where all was shown), right (whether the continuation ends in the true answer).

    Raises:
        ConfigError: a share is not above 0 and at most 1, or a number is below 1.
    """
    from mtalign.generation.prompts import render
    from mtalign.models.load import load_model
    from mtalign.tasks.registry import load_task
    from mtalign.tasks.rows import demonstrations

    if wrong := [share for share in shares if not 0 < share <= 1]:
        raise ConfigError(f"contamination: shares: expected more than 0 and at most 1, got {wrong[0]}")
    if questions < 1 or max_tokens < 1:
        raise ConfigError(f"contamination: questions, max_tokens: expected 1 or more, got {questions}, {max_tokens}")
    loaded, tokenizer = load_model(model)
    use_fastest_threads(loaded)
    rows = []
    for name in tasks:
        task = load_task(name)
        examples = task.eval[:questions]
        for share in shares:
            parts = [cut(e.prompt, share) for e in examples]
            prompts = [shown for shown, _ in parts]
            if share == 1:
                prompts = [
                    render(tokenizer, shown, task.instruction, "direct", demonstrations(task)) for shown in prompts
                ]
            texts = _continued(
                loaded, tokenizer, prompts, max_tokens, Path(kept, _key(model, prompts, max_tokens)) if kept else None
            )
            for example, (shown, rest), text in zip(examples, parts, texts, strict=True):
                row = {"task": name, "fresh": is_fresh(name), "share": share, "shown": shown, "rest": rest}
                row |= {"continuation": text, "exact_match": np.nan, "rouge_l": np.nan}
                if rest:
                    row |= {"exact_match": float(exact_match(text, rest)), "rouge_l": rouge_l(text, rest)}
                rows.append(row | {"right": float(grade(text, example.answer, example.kind or task.kind))})
    return pd.DataFrame(rows)


def _key(model: str, prompts: Sequence[str], max_tokens: int) -> str:
    asked = json.dumps([RECIPE, model, list(prompts), max_tokens])
    return f"{hashlib.sha256(asked.encode()).hexdigest()[:20]}.json"


def _continued(model, tokenizer, prompts: Sequence[str], max_tokens: int, file: Path | None) -> list[str]:
    """The greedy continuation of each prompt: as they stand in the file, else drawn now and written to it."""
    from mtalign.generation.sampling import sample

    if file and file.is_file():
        try:
            texts = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            texts = None
        if not (isinstance(texts, list) and len(texts) == len(prompts) and all(isinstance(t, str) for t in texts)):
            raise ConfigError(f"{file}: not a list of {len(prompts)} continuations; delete it to draw them again")
        return texts
    texts = [text for (text,) in sample(model, tokenizer, prompts, 1, max_tokens, 0, temperature=0)]
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(texts, indent=0), sync=True)
    return texts


def is_fresh(task: str) -> bool:
    """Whether a task's questions are generated here, after any model's training.

    >>> is_fresh("calculation-3"), is_fresh("rg:gsm_symbolic"), is_fresh("gsm8k")
    (True, True, False)
    """
    from mtalign.tasks.micro import MICRO

    return task in MICRO or task.startswith("rg:") or NAME.fullmatch(task) is not None


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means with 95% intervals over questions, for each task and share: Wilson's for shares, the bootstrap for ROUGE-L."""
    found = []
    for (task, share), these in rows.groupby(["task", "share"], sort=False):
        row = {"task": task, "fresh": bool(these["fresh"].iloc[0]), "share": share, "questions": len(these)}
        for name in ("exact_match", "right"):
            mean = float(these[name].mean())
            row[name] = None if np.isnan(mean) else Estimate(mean, *wilson(mean, len(these)))
        values = these["rouge_l"].to_numpy()[None]  # (1, P)
        rouge = None if np.isnan(values).any() else bootstrap_ci([values], lambda m: m, generator(), bounds=(0, 1))
        found.append(row | {"rouge_l": rouge})
    return pd.DataFrame(found)


def signs(table: pd.DataFrame, task: str) -> list[str]:
    """The signs that a public task is known by heart, from `summary`.

    A sign is a share of exact completions, or of right answers from a part of the question, whose interval lies above
    that of every fresh task at the same share.
    """
    partial, found = table[table["share"] < 1], []
    for row in partial[partial["task"] == task].itertuples():
        control = partial[partial["fresh"] & (partial["share"] == row.share)]
        for name, words in (("exact_match", "exact completions"), ("right", "right answers")):
            own = getattr(row, name)
            if len(control) and own.low > max(e.high for e in control[name]):
                found.append(f"{words} {own} at {row.share:.0%}")
    return found


def _public(table: pd.DataFrame) -> dict[str, int]:
    """Public tasks -> the number of their questions."""
    public = table[(table["share"] < 1) & ~table["fresh"]]
    return public.groupby("task", sort=False)["questions"].max().to_dict()


def verdict(table: pd.DataFrame) -> Markdown:
    """Whether each public task shows signs of being known by heart, from `summary`."""
    lines = []
    for task, number in _public(table).items():
        found = signs(table, task)
        word = f"**contaminated**: {'; '.join(found)}" if found else "**no sign of contamination**"
        lines.append(f"- {task}: {word} ({number} questions).")
    return Markdown("\n".join(lines) or "There is no public task to look at.")


def judged(table: pd.DataFrame) -> Outcomes:
    """Notebook 06's prediction, that there is no sign, for each public task, from `summary`."""
    rule = "refuted where exact completions or right answers are more frequent than on each fresh task, with the whole interval"
    found = Outcomes()
    for task, number in _public(table).items():
        shown = signs(table, task)
        because = f"{'; '.join(shown) or 'there is none'}, with {number} questions"
        outcome = "refuted" if shown else "confirmed"
        found.append(Judged("There is no sign that the task is known by heart", rule, outcome, because, task))
    return found
