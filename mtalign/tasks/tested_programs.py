"""Tasks of Python programs with published tests, for pretrained models: `mbpp`, and files like it, `mbpp:<path>.jsonl`.

Rows have a `prompt` (or `text`) and a `test_list` (or `tests`) of lines `assert f(2) == 4`. The question shows the first test, which names the
function; a program is right that passes all of them, shown and kept back. Tests of another form than a call of a function with
literals and the literal that it should return are left out, and rows with fewer than two that are left; the description says how many.
Programs of a model are executed to grade them, by `grading.tested_programs` in a sandbox: the task is off unless asked for.
"""

from __future__ import annotations

import json
from functools import lru_cache

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.grading import tested_programs as grading
from mtalign.tasks.base import Example, Task
from mtalign.tasks.rows import finish
from mtalign.tasks.sources import read_jsonl, read_rows

NAME, PREFIX = "mbpp", "mbpp:"
HUB = {
    "path": "google-research-datasets/mbpp",
    "name": "full",
    "split": "train+test",
}  # Austin et al. 2021, arXiv 2108.07732
QUESTION = "{text}\nWrite a Python program. It should pass this test, and others like it:\n{test}"
INSTRUCTION = (
    "Think first, then answer. Write your reasoning between <think> and </think>, then only the program between"
    " <answer> and </answer>, like this: <think>reasoning</think><answer>program</answer>"
)


def is_tested(name: str) -> bool:
    """Whether a name is that of a task of programs with tests."""
    return name == NAME or name.startswith(PREFIX)


def load(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: programs are not to be run, or cannot be here; the rows cannot be had, or one is broken.
    """
    if not grading.allowed():
        raise ConfigError(
            f"task {name}: its answers are programs, which are run to be graded, and that is off: set {grading.SWITCH}=1 to"
            " allow it (docs/trust.md says in which sandbox)"
        )
    try:
        grading.start()
    except RuntimeError as error:
        raise ConfigError(f"task {name}: {error}") from None
    if name == NAME:
        return _load(name, "", 0)
    path = paths.given(name.removeprefix(PREFIX))
    try:
        return _load(name, str(path), path.stat().st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache
def _load(name: str, place: str, changed: int) -> Task:
    if name == NAME:
        where, rows = name, list(enumerate(read_rows(name, "", HUB, ""), start=1))
    else:
        where, rows = place, read_jsonl(paths.given(place))
    examples = [example for number, row in rows if (example := example_of(where, number, row))]
    left_out = len(rows) - len(examples)
    description = (
        f"Python programs with published tests; left out: {left_out} with fewer than two tests of a plain call"
    )
    task = finish(name, description, examples, "exact", chance=0.0, shuffle=True)
    return Task(**{**vars(task), "instruction": INSTRUCTION})


def example_of(where: str, number: int, row: dict) -> Example | None:
    """The example of a row; None where fewer than two of its tests can be used.

    Raises:
        ConfigError: a column is missing, or holds something else than text, or a list of texts.

    >>> row = {"text": "Double it.", "test_list": ["assert f(2) == 4", "assert f(3) == 6"]}
    >>> example = example_of("x.jsonl", 1, row)
    >>> example.answer, example.kind
    ('["4", "6"]', 'tests:["f(2)", "f(3)"]')
    """
    text = row.get("prompt", row.get("text"))
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{where}: row {number}: prompt: expected text, got {text!r:.40}")
    tests = row.get("test_list", row.get("tests"))
    tests = list(tests) if hasattr(tests, "__iter__") else tests
    if not isinstance(tests, list) or isinstance(row.get("tests"), str) or not all(isinstance(t, str) for t in tests):
        raise ConfigError(f"{where}: row {number}: test_list: expected a list of tests, got {tests!r:.40}")
    pairs = list(dict.fromkeys(pair for test in tests if (pair := grading.split(test))))
    if len({call for call, _ in pairs}) < 2:
        return None
    shown = QUESTION.format(text=text.strip(), test="assert {} == {}".format(*pairs[0]))
    calls, values = zip(*pairs, strict=True)
    return Example(shown, json.dumps(values), kind=grading.kind(calls))
