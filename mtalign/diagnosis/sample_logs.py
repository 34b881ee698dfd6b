"""Samples that people already have: logs of lm-evaluation-harness (`--log_samples`) and of inspect_ai.

`harness_logs` and `inspect_logs` read them; what both have in common is here. Text in a log is untrusted.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.diagnosis import harness_logs, inspect_logs
from mtalign.diagnosis.card import Card, of_log
from mtalign.diagnosis.samples import Asked
from mtalign.grading.answers import GRADERS
from mtalign.tasks.rows import estimated_chance

READERS = {".jsonl": harness_logs.read, ".json": inspect_logs.read, ".eval": inspect_logs.read}
BROKEN = (LookupError, TypeError, AttributeError, ValueError, NotImplementedError, zipfile.BadZipFile, OSError)


def read(path: Path, asked: Asked | None = None) -> Card:
    """The card of a log.

    Args:
        path: `samples_*.jsonl` of lm-evaluation-harness, or a `.json` or `.eval` log of inspect_ai.
        asked: how it is to be read.

    Raises:
        ConfigError: the file is of neither kind, broken, or without samples; chance is out of range or cannot be estimated.
    """
    asked = asked or Asked()
    if asked.kind is not None and asked.kind not in GRADERS:
        raise ConfigError(f"--kind: unknown value {asked.kind!r}; known: {', '.join(GRADERS)}")
    if asked.chance is not None and not 0 <= asked.chance < 1:
        raise ConfigError(f"--chance: expected 0 or more and less than 1, got {asked.chance}")
    if not path.is_file():
        raise ConfigError(f"{path}: cannot be read: no such file")
    if path.suffix not in READERS:
        raise ConfigError(f"{path}: expected samples_*.jsonl of lm-evaluation-harness, or .json or .eval of inspect_ai")
    try:
        log = READERS[path.suffix](path, asked)
    except BROKEN as error:
        if isinstance(error, ConfigError):
            raise
        reason = f"{type(error).__name__}: {error!s:.80}"
        raise ConfigError(
            f"{path}: not a log of samples as lm-evaluation-harness or inspect_ai write it ({reason})"
        ) from None
    if not log.sampled:
        raise ConfigError(f"{path}: holds no samples{''.join(f'; {note}' for note in log.notes)}")
    if asked.chance is not None:
        return of_log(log, asked.chance, "given")
    if log.chance is not None:
        return of_log(log, log.chance, "one in the number of choices")
    ((common, times),) = Counter(log.answers).most_common(1)
    if times == len(log.answers) > 1:
        raise ConfigError(
            f"{path}: chance cannot be estimated: the true answer is {common!r:.40} to each of {times} questions; give the"
            " accuracy of guessing by --chance, 0 where a guess is never right"
        )
    return of_log(log, estimated_chance(log.answers), "estimated from the true answers")
