"""Tasks of one's own questions: a file, or a data set of the Hub, named as it is.

| name | rows |
| --- | --- |
| `questions.jsonl`, `questions.csv`, `questions.parquet` | of the file; `jsonl:<path>` is the same, for a file of any ending |
| `hub:org/name?split=test` | of a data set of the Hugging Face Hub; also `name` (of its configuration) and `revision` |

Settings follow a question mark: `prompt` and `answer` name the columns (else the first of `PROMPTS` and `ANSWERS` that
is there), `kind` says how an answer is graded.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl

from mtalign.config import paths
from mtalign.config.errors import ConfigError, check_keys
from mtalign.grading.answers import GRADERS, gradable
from mtalign.tasks.base import Task
from mtalign.tasks.rows import boxed, example_of, finish
from mtalign.tasks.sources import read_jsonl, read_rows

PROMPTS = ("prompt", "question", "problem", "input")
ANSWERS = ("answer", "target", "solution", "final_answer")
ENDINGS = (".jsonl", ".csv", ".parquet")
HUB = ("split", "name", "revision")


def is_file(name: str) -> bool:
    """Whether a name is that of a file or a data set of the Hub.

    >>> is_file("my/questions.csv?kind=math"), is_file("hub:org/name"), is_file("gsm8k")
    (True, True, False)
    """
    return name.startswith(("jsonl:", "hub:")) or name.partition("?")[0].endswith(ENDINGS)


def load(name: str) -> Task:
    """The task of a file or a data set.

    Raises:
        ConfigError: it is missing, empty or broken; the line and the key are named.
    """
    where, _, query = name.partition("?")
    settings = dict(parse_qsl(query, keep_blank_values=True))
    hub = where.startswith("hub:")
    check_keys(f"task {name}", settings, ("kind", "prompt", "answer", *(HUB if hub else ())))
    if (kind := settings.get("kind", "exact")) not in GRADERS:
        raise ConfigError(f"task {name}: kind: unknown value {kind!r}; known: {', '.join(GRADERS)}")
    columns = (settings.get("prompt"), settings.get("answer"))
    if hub:
        path = where.removeprefix("hub:")
        source = {"path": path, "split": "train"} | {k: v for k, v in settings.items() if k in HUB}
        return _hub_task(name, tuple(sorted(source.items())), kind, columns)
    path = paths.given(where.removeprefix("jsonl:"))
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return _file_task(name, path, kind, columns, changed)


@lru_cache
def _file_task(name: str, path: Path, kind: str, columns: tuple[str | None, str | None], changed: int) -> Task:
    if path.suffix == ".csv":
        rows = _read_csv(path)
    elif path.suffix == ".parquet":
        rows = list(enumerate(read_rows(name, path.name, {}, str(path.parent.resolve())), start=1))
    else:
        rows = read_jsonl(path)
    return _task(name, str(path), rows, kind, columns, "row" if path.suffix == ".parquet" else "line")


@lru_cache
def _hub_task(name: str, source: tuple, kind: str, columns: tuple[str | None, str | None]) -> Task:
    hub = dict(source)
    return _task(name, hub["path"], list(enumerate(read_rows(name, "", hub, ""), start=1)), kind, columns, "row")


def _task(name: str, where: str, rows: list[tuple[int, dict]], kind: str, columns, unit: str) -> Task:
    if not rows:
        raise ConfigError(f"{where}: is empty; expected a question and its answer in each {unit}")
    prompt, answer = (_column(rows[0][1], c, known) for c, known in zip(columns, (PROMPTS, ANSWERS), strict=True))
    examples = []
    for number, row in rows:
        for column in (prompt, answer):
            if column not in row:
                there = ", ".join(row) or "none"
                raise ConfigError(f"{where}: {unit} {number}: {column}: expected text, not there; there are: {there}")
        key = row[answer]
        if answer == "solution" and "\\boxed" in str(key):
            key = boxed(str(key))  # the worked solution of MATH
        examples.append(example_of(where, number, {"prompt": row[prompt], "answer": key}, ("prompt", "answer"), unit))
        if not gradable(examples[-1].answer, kind):
            key = examples[-1].answer
            raise ConfigError(f"{where}: {unit} {number}: answer: no completion could ever match {key!r:.60} as {kind}")
    return finish(name, f"prompts and answers of {Path(where).name}", examples, kind, shuffle=True)


def _column(row: dict, asked: str | None, known: tuple[str, ...]) -> str:
    """The column that was asked for, or the first known one that is there; else the usual one, which is then missed."""
    return asked or next((key for key in known if key in row), known[0])


def _read_csv(path: Path) -> list[tuple[int, dict]]:
    """The rows of a CSV file with a header, with the numbers of their last lines.

    Raises:
        ConfigError: the file cannot be read, or a row has more cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a CSV file: {error!s:.80}") from None
    for number, row in rows:
        if None in row:
            raise ConfigError(f"{path}: line {number}: has more cells than the header")
    return rows
