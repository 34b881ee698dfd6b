"""Samples that people already have: lm-evaluation-harness `--log_samples` files and inspect_ai logs.

Both are read without their libraries. Verdicts are the log's own where it has one for each sample (inspect_ai, and
lm-evaluation-harness with one response a question); where the harness logged several responses (`repeats`) it kept one
verdict for all, and they are graded here. Text in a log is untrusted.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.diagnosis.diagnose import Sampled, tally
from mtalign.grading.answers import CLOSE, GRADERS, OPEN, canonical
from mtalign.tasks.rows import estimated_chance
from mtalign.tasks.sources import read_jsonl

METRICS = ("exact_match", "acc", "math_verify", "pass@1", "acc_norm")  # of the harness, where a line does not name them
RIGHT = {"C": 1.0, "I": 0.0, "N": 0.0, "P": 0.5}  # inspect_ai's values; a partly right sample does not count as right


def read(path: Path, kind: str = "math", chance: float | None = None) -> tuple[list[Sampled], dict]:
    """The samples of a log.

    Args:
        path: `samples_*.jsonl` of lm-evaluation-harness, or a `.json` or `.eval` log of inspect_ai.
        kind: how responses are graded and counted as votes, a key of `grading.GRADERS`.
        chance: the chance level; None to estimate it from the true answers.

    Returns:
        The samples of each question, and `model`, `task`, `chance`, `chance_is`.

    Raises:
        ConfigError: the file is of neither kind, broken, or without samples.
    """
    if kind not in GRADERS:
        raise ConfigError(f"--kind: unknown value {kind!r}; known: {', '.join(GRADERS)}")
    if chance is not None and not 0 <= chance < 1:
        raise ConfigError(f"--chance: expected 0 or more and less than 1, got {chance}")
    if not path.is_file():
        raise ConfigError(f"{path}: cannot be read: no such file")
    try:
        if path.suffix == ".jsonl":
            sampled, answers, about = _harness(path, kind)
        elif path.suffix in (".json", ".eval"):
            sampled, answers, about = _inspect(path, kind)
        else:
            raise ConfigError(
                f"{path}: expected samples_*.jsonl of lm-evaluation-harness, or .json or .eval of inspect_ai"
            )
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
        OSError,
    ) as error:
        if isinstance(error, ConfigError):
            raise
        reason = f"{type(error).__name__}: {error!s:.80}"
        raise ConfigError(
            f"{path}: not a log of samples as lm-evaluation-harness or inspect_ai write it ({reason})"
        ) from None
    if not sampled:
        raise ConfigError(f"{path}: holds no samples")
    about |= {"chance": estimated_chance(answers) if chance is None else chance}
    return sampled, about | {"chance_is": "estimated" if chance is None else "given"}


def _harness(path: Path, kind: str) -> tuple[list[Sampled], list[str], dict]:
    rows = read_jsonl(path)
    first = rows[0][1].get("filter")  # a question has one line for each filter: the first one counts
    sampled, answers = [], []
    for number, row in rows:
        if row.get("filter") != first:
            continue
        for key in ("doc_id", "target", "resps"):
            if key not in row:
                raise ConfigError(f"{path}: line {number}: {key}: not there; is it from --log_samples?")
        responses, kept = _flat(row["resps"]), row.get("filtered_resps")
        answers.append(str(row["target"]))
        if len(responses) > 1 and isinstance(responses[0], str):
            if isinstance(kept, list) and len(kept) == len(responses):
                responses = [f"{OPEN}{text}{CLOSE}" for text in kept]
            sampled.append(tally(responses, answers[-1], kind))
        else:
            sampled.append(Sampled(1, int(_metric(path, number, row) >= 1)))
    about = {"model": path.parent.name, "task": path.stem.removeprefix("samples_").rpartition("_")[0] or path.stem}
    return sampled, answers, about


def _flat(responses) -> list:
    """The responses of a question: `[["a", "b"]]` and `[["a"], ["b"]]` both mean two; those of choices are numbers."""
    if responses and all(isinstance(r, list) and all(isinstance(text, str) for text in r) for r in responses):
        return [text for each in responses for text in each]
    return [None]


def _metric(path: Path, number: int, row: dict) -> float:
    names = row.get("metrics") or METRICS
    for name in names:
        if isinstance(row.get(name), int | float):
            return float(row[name])
    raise ConfigError(f"{path}: line {number}: no metric in it; looked for: {', '.join(map(str, names))}")


def _inspect(path: Path, kind: str) -> tuple[list[Sampled], list[str], dict]:
    header, samples = _opened(path)
    by_question: dict[str, list[dict]] = {}
    for sample in samples:
        if not sample.get("error"):
            by_question.setdefault(str(sample["id"]), []).append(sample)
    sampled, answers = [], []
    for epochs in by_question.values():
        votes: Counter = Counter()
        right: set[str] = set()
        correct = 0
        for sample in epochs:
            score = list(sample["scores"].values())[0]  # noqa: RUF015 (an IndexError is caught)
            value = score["value"]
            is_right = (RIGHT[value] if isinstance(value, str) else float(value)) >= 1
            answer = canonical(str(score["answer"]), kind) if score.get("answer") else None
            votes[answer] += 1
            correct += is_right
            if is_right and answer is not None:
                right.add(answer)
        sampled.append(Sampled(len(epochs), correct, votes if set(votes) != {None} else None, frozenset(right)))
        target = epochs[0].get("target", "")
        answers.append(target if isinstance(target, str) else str(target[0]))
    told = header.get("eval", {})
    return sampled, answers, {"model": str(told.get("model", "unknown")), "task": str(told.get("task", path.stem))}


def _opened(path: Path) -> tuple[dict, Iterable[dict]]:
    """The header and the samples of a log in either format."""
    if path.suffix == ".json":
        log = json.loads(path.read_text(encoding="utf-8"))
        return log, log["samples"]
    archive = zipfile.ZipFile(path)

    def each() -> Iterator[dict]:
        for name in archive.namelist():
            if name.startswith("samples/") and name.endswith(".json"):
                yield json.loads(archive.read(name))

    return json.loads(archive.read("header.json")), each()
