"""Public benchmarks and JSONL files as tasks.

The files come from the folder named by `MTALIGN_DATA` (its layout is the column `file` of `REAL`), or else from the
Hugging Face Hub. A task needs two disjoint lists, so each benchmark is shuffled once, by a fixed seed, and at most 200
of its questions are held out for evaluation; AMC and AIME are too small for that and are evaluated only. Training sets
(those with `Source.held_out`) are evaluated on a benchmark, and every question of it and of the other ones named there is
left out of training; `dsr-sub` is trained on in its own order (arXiv 2504.20571). Rows of theirs without an answer are
left out too; the description says how many.

The chance level is *given* where there are choices (for each question one in the number of its choices) and *estimated*
elsewhere (`rows.estimated_chance`, `options.naming_rate`): free-form answers are rarely guessed, but "3" is right on 17 of the 250 questions of
KOR-Bench's operations.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mtalign.grading.answers import gradable
from mtalign.tasks.base import Task
from mtalign.tasks.options import letters
from mtalign.tasks.rows import apart, boxed, example_of, finish, ground_truth, in_game_data
from mtalign.tasks.sources import read_rows

KORBENCH = ("operation", "counterfactual", "logic", "puzzle", "cipher")
YES_NO = ("Yes", "No")
BBH = {  # task -> its choices: none where the answer is free, None where the question lists them
    "boolean_expressions": ("True", "False"), "date_understanding": None, "dyck_languages": (),
    "logical_deduction_three_objects": None, "multistep_arithmetic_two": (), "navigate": YES_NO, "object_counting": (),
    "tracking_shuffled_objects_three_objects": None, "web_of_lies": YES_NO, "word_sorting": (),
}  # fmt: skip


MATH_TESTS = ("math500", "amc23", "aime24", "aime25")
MATH_SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus",
)  # fmt: skip


class Source(NamedTuple):
    """Where a benchmark's rows are, and how one becomes an example."""

    description: str
    kind: str
    file: str  # under MTALIGN_DATA; "" where only the Hub has it
    hub: dict  # arguments of datasets.load_dataset; of several names all are read
    columns: tuple[str, str]  # of the question and the answer
    choices: tuple[str, ...] | None = ()  # none for free answers, None where the question lists them
    train: bool = True  # whether there are enough rows to train on some
    read: Callable[..., str] | None = None  # finds the answer in its column; "" where there is none
    held_out: tuple[str, ...] = ()  # of a training set: not trained on, and the first is evaluated
    prompt: Callable[..., list[dict]] | None = None  # gives the rows whole prompts in the place of questions
    shuffle: bool = True  # False for a training set that is kept in its own order


def _with_rules(source: Source, rows: list[dict], root: str) -> list[dict]:
    """Rows of KOR-Bench whose question has its rule before it: the zero-shot prompt without the introduction."""
    hub = source.hub | {"data_files": source.hub["data_files"].replace("sample", "rule")}
    category = source.kind.removeprefix("korbench-")
    rules = read_rows(source.kind, source.file.replace("sample", "rule"), hub, root)
    contents = {str(rule["idx"]): rule["rule_content"] for rule in rules}
    title = "Story" if category == "counterfactual" else category.capitalize()
    form = "### {title} Rule:\n\n{rule}\n\n### Question:\n{question}"
    return [
        row | {"question": form.format(title=title, rule=contents[str(row["rule_id"])], question=row["question"])}
        for row in rows
    ]


def _korbench(category: str) -> Source:
    hub = {"path": "m-a-p/KOR-Bench", "data_files": f"**/{category}/sample.jsonl", "split": "train"}
    choices = ("A", "B", "C", "D") if category == "counterfactual" else ()
    description = f"KOR-Bench, {category}: a new rule and a question about it"
    file = f"korbench/{category}/sample.jsonl"
    return Source(description, f"korbench-{category}", file, hub, ("question", "answer"), choices, prompt=_with_rules)


def _bbh(task: str, choices: tuple[str, ...] | None) -> Source:
    hub = {"path": "lukaemon/bbh", "name": task, "split": "test"}
    kind = "exact" if choices == () else "choice"
    return Source(
        f"BIG-Bench Hard: {task.replace('_', ' ')}", kind, f"bbh/{task}.json", hub, ("input", "target"), choices
    )


def _maths(description: str, file: str, hub: str, question: str, train: bool, **options) -> Source:
    hub_arguments = {"path": hub, "split": "test", **options}
    return Source(description, "math", f"math/{file}.jsonl", hub_arguments, (question, "answer"), train=train)


def _synlogic(split: str, **options) -> Source:
    hub = {"path": "MiniMaxAI/SynLogic", "name": "easy", "split": split}
    description = f"SynLogic (easy), 27 kinds of logic, {split}; answers compared as text, not by its verifiers"
    return Source(description, "exact", "", hub, ("prompt", "extra_info"), read=in_game_data, **options)


REAL: dict[str, Source] = {
    "math500": _maths("MATH-500, competition mathematics", "math500", "HuggingFaceH4/MATH-500", "problem", True),
    "gsm8k": _maths("GSM8K test, word problems", "gsm8k", "openai/gsm8k", "question", True, name="main"),
    "amc23": _maths("AMC 2023, evaluated only", "amc23", "math-ai/amc23", "question", False),
    "aime24": _maths("AIME 2024, evaluated only", "aime24", "math-ai/aime24", "problem", False),
    "aime25": _maths("AIME 2025, evaluated only", "aime25", "math-ai/aime25", "problem", False),
    **{f"korbench-{category}": _korbench(category) for category in KORBENCH},
    **{f"bbh-{task}": _bbh(task, choices) for task, choices in BBH.items()},
    "dsr-sub": Source(
        "DeepScaleR-sub, the training set of one-shot RLVR; evaluated on MATH-500", "math", "oneshot/dsr_sub.parquet",
        {"path": "ypwang61/one_shot_rlvr", "data_files": "**/dsr_sub.parquet", "split": "train"},
        ("prompt", "reward_model"), read=ground_truth, held_out=("math500",), shuffle=False,
    ),
    "math-train": Source(
        "MATH, its training split of 7,500 questions of all levels; evaluated on MATH-500", "math", "",
        {"path": "EleutherAI/hendrycks_math", "name": MATH_SUBJECTS, "split": "train"}, ("problem", "solution"),
        read=boxed, held_out=MATH_TESTS,
    ),
    "deepscaler": Source(
        "DeepScaleR-Preview, competition mathematics, about 40,000 questions; evaluated on MATH-500", "math", "",
        {"path": "agentica-org/DeepScaleR-Preview-Dataset", "split": "train"}, ("problem", "answer"),
        read=str, held_out=MATH_TESTS,
    ),
    "synlogic": _synlogic("train", held_out=("synlogic-validation",)),
    "synlogic-validation": _synlogic("validation", train=False),
}  # fmt: skip


def _without_tests(name: str, source: Source, examples: list, rows: int, root: str) -> Task:
    """A training set without the questions of the benchmarks that are held out; the first of these is evaluated."""
    tests = [_load(test, root) for test in source.held_out]
    training = apart(examples, (e for test in tests for e in test.train + test.eval), source.kind)
    description = f"{source.description}; left out: {rows - len(examples)} without an answer that can be graded"
    description += f", {len(examples) - len(training)} that are in {', '.join(source.held_out)}"
    return finish(name, description, training, source.kind, eval_=tests[0].eval, shuffle=source.shuffle)


def load(name: str) -> Task:
    """The benchmark called `name`, read once for each data folder.

    Raises:
        ConfigError: the data cannot be had, or a row of them is broken.
    """
    return _load(name, os.environ.get("MTALIGN_DATA", ""))


@lru_cache
def _load(name: str, root: str) -> Task:
    source = REAL[name]
    rows = read_rows(name, source.file, source.hub, root)
    if source.prompt:
        rows = source.prompt(source, rows, root)
    number, answer = len(rows), source.columns[1]
    if source.read:
        rows = [row | {answer: source.read(row[answer])} if row.get(answer) else row for row in rows]
        rows = [row for row in rows if (row.get(answer, "?") or "").strip()]
    examples = [example_of(name, number, row, source.columns) for number, row in enumerate(rows, start=1)]
    examples = [e for e in examples if gradable(e.answer, source.kind)]  # KOR-Bench's puzzle 84 has a false key
    if source.held_out:
        return _without_tests(name, source, examples, number, root)
    chance = None
    if source.choices != ():
        examples = [dataclasses.replace(e, options=source.choices or letters(e.prompt)) for e in examples]
        chance = sum(1 / max(1, len(e.options)) for e in examples) / len(examples)
    return finish(name, source.description, examples, source.kind, chance, shuffle=True, train=source.train)
