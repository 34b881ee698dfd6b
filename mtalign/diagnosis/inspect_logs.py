"""Logs of inspect_ai: `.eval`, a zip archive of JSON, and `.json`.

Verdicts are the log's own, by one of its scorers. What has no verdict is missing, and not wrong: samples that ended in an
error or that the scorer left without a score, and questions without a target. Where inspect_ai is installed its own reader
reads the log, which knows older formats too; else the archive is read here, by pyarrow where it is compressed by zstandard.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.diagnosis.samples import Asked, Log, Sampled, one_of, others, tagged, tally
from mtalign.grading.forms import NUMBER, answer_in

ZSTANDARD = 93  # the number of this compression in a zip archive
LARGEST = 500_000_000  # bytes of one member: more is no log that fits into memory
RIGHT = {"C": 1.0, "I": 0.0, "N": 0.0, "P": 0.5}  # inspect_ai's values: correct, incorrect, no answer, partly


def read(path: Path, asked: Asked) -> Log:
    """Reads a log.

    Raises:
        ConfigError: it holds no verdict, or not what was asked for.
    """
    header, samples = _opened(path)
    told = header.get("eval") or {}
    scorers = list(dict.fromkeys(name for sample in samples for name in _names(sample)))
    notes = _status(header)
    if not scorers:
        raise ConfigError(f"{path}: holds no score of any sample{'; ' + notes[0] if notes else ''}")
    used = one_of("--scorer", asked.scorer, scorers, path)
    notes += others("scorers", used, scorers, "--scorer")
    scored, lost = [], Counter()
    for sample in samples:
        value, answer = _score(path, sample, used)
        why = _missing(sample, value)
        lost[why] += why is not None
        if why is None:
            scored.append((sample, value, answer))
    notes += [f"{n} of {len(samples)} samples are missing: {why}" for why, n in lost.items() if n]
    if not scored:
        raise ConfigError(f"{path}: holds no sample with a verdict of {used}; {'; '.join(notes)}")
    if partly := sum(0 < value < 1 for _, value, _ in scored):
        notes.append(f"{partly} of {len(scored)} scores lie between 0 and 1, and count as wrong")
    choices = [len(sample["choices"]) for sample, _, _ in scored if sample.get("choices")]
    chance = sum(1 / n for n in choices) / len(choices) if len(choices) == len(scored) else None
    sampled, answers, more = _by_question(scored, asked.kind or ("choice" if chance else "math"), asked)
    model, task = str(told.get("model", "unknown")), str(told.get("task", path.stem))
    return Log(model, task, sampled, answers, f"scorer {used}", chance, tuple(notes + more))


def _status(header: dict) -> list[str]:
    """What is to be said of a log that did not end well."""
    status = header.get("status", "success")
    reason = (header.get("error") or {}).get("message", "")
    found = [] if status == "success" else [f"the log's status is {status}{f' ({reason:.80})' if reason else ''}"]
    return found + (["the log was invalidated by its owner"] if header.get("invalidated") else [])


def _names(sample: dict) -> list[str]:
    """The scorers of a sample; one whose value is a dictionary gives a name for each key."""
    found = []
    for name, score in (sample.get("scores") or {}).items():
        value = (score or {}).get("value")
        found += [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
    return found


def _score(path: Path, sample: dict, used: str) -> tuple[float | None, str | None]:
    """A sample's verdict by a scorer, in [0, 1], and its answer; None where there is none.

    Raises:
        ConfigError: the value is no verdict.
    """
    scores = sample.get("scores") or {}
    name, key = (used, None) if used in scores else used.rpartition(".")[::2]
    score = scores.get(name) or {}
    value = score.get("value")
    if isinstance(value, dict):
        value = value.get(key)
    if isinstance(value, str):
        value = RIGHT.get(value, value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, None
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(
            f"{path}: sample {sample.get('id')}: {used}: expected a verdict from 0 to 1, got {value!r:.40}"
        )
    return float(value), str(score["answer"]) if score.get("answer") else None


def _missing(sample: dict, value: float | None) -> str | None:
    """Why a sample says nothing about the model; None where it does."""
    if sample.get("error"):
        return "they ended in an error"
    if not _targets(sample):
        return "their questions have no target"
    return "they have no score" if value is None else None


def _targets(sample: dict) -> list[str]:
    target = sample.get("target", "")
    return [text for text in (target if isinstance(target, list) else [target]) if str(text).strip()]


def _by_question(
    scored: list[tuple[dict, float, str | None]], kind: str, asked: Asked
) -> tuple[list[Sampled], list[str], list[str]]:
    """The samples of each question with its true answer, and notes; votes where answers agree with the log's verdicts."""
    questions: dict[str, list] = {}
    for entry in scored:
        questions.setdefault(str(entry[0]["id"]), []).append(entry)
    most = max(map(len, questions.values()))
    notes = []
    if short := [key for key, entries in questions.items() if len(entries) < min(4, most)]:
        notes.append(
            f"{len(short)} of {len(questions)} questions are left out: they have fewer than {min(4, most)} samples"
        )
    kept = [entries for key, entries in questions.items() if key not in short]
    graded = [_voted(entries, kind, asked) for entries in kept]
    contradicted = sum(differ for _, differ in graded)
    sampled = [found for found, _ in graded]
    if contradicted or not any(found.votes for found in sampled):
        sampled = [Sampled(found.number, found.correct) for found in sampled]
    if contradicted and most > 1:
        total = sum(found.number for found in sampled)
        notes.append(
            f"no majority is counted: read as {kind}, the answers contradict the log's verdict in {contradicted} of {total}"
            " samples (--pattern or --kind may help)"
        )
    return sampled, [str(_targets(entries[0][0])[0]) for entries in kept], notes


def _voted(entries: list[tuple[dict, float, str | None]], kind: str, asked: Asked) -> tuple[Sampled, int]:
    """The samples of a question by the log's verdicts, and how many of these our reading of the answers contradicts."""
    targets = _targets(entries[0][0])
    numeric = all(NUMBER.fullmatch(str(target).strip()) for target in targets)
    votes: Counter = Counter()
    right: set[str] = set()
    differ = 0
    for _, value, answer in entries:
        found = answer_in(answer, kind, numeric, asked.pattern) if answer else None
        each = [tally([tagged(found)], str(target), kind) for target in targets]
        (voted,) = each[0].votes
        votes[voted] += 1
        differ += any(one.correct for one in each) != (value >= 1)
        if value >= 1 and voted is not None:
            right.add(voted)
    return Sampled(len(entries), sum(value >= 1 for _, value, _ in entries), votes, frozenset(right)), differ


def _opened(path: Path) -> tuple[dict, list[dict]]:
    """The header and the samples of a log in either format."""
    if find_spec("inspect_ai"):
        from inspect_ai.log import read_eval_log

        log = read_eval_log(str(path)).model_dump(mode="json")
        return log, log.get("samples") or []
    if path.suffix == ".json":
        log = json.loads(path.read_text(encoding="utf-8"))
        return log, log.get("samples") or []
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if "header.json" not in members:  # the program was killed before it could write one
            raise ConfigError(
                f"{path}: has no header.json: the evaluation did not end; `inspect log recover` may repair it"
            )
        names = [n for n in members if n.startswith("samples/") and n.endswith(".json")]
        return json.loads(_member(archive, members["header.json"])), [
            json.loads(_member(archive, members[name])) for name in names
        ]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member of an archive, decompressed.

    Raises:
        ValueError: it is larger than `LARGEST`, or broken.
    """
    if info.file_size > LARGEST:
        raise ValueError(f"{info.filename} has {info.file_size} bytes")
    if info.compress_type != ZSTANDARD:
        return archive.read(info)
    import pyarrow

    file = archive.fp
    file.seek(info.header_offset + 26)  # of the local header: the lengths of the name and of the extra field
    lengths = file.read(4)
    file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), io.SEEK_CUR)
    packed = file.read(info.compress_size)
    content = pyarrow.input_stream(io.BytesIO(packed), compression="zstd").read(info.file_size + 1)
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise ValueError(f"{info.filename} is broken")
    return content
