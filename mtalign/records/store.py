"""Records on disk: one JSON file per finished run, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.paths import write_whole
from mtalign.config.run import DEFAULTS, LATER, Run


class Records:
    """A folder of records, found by `run_id`."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def path(self, run: Run) -> Path:
        return self.folder / f"{run.run_id}.json"

    def prepare(self) -> None:
        """Makes the folder; raises `ConfigError` where it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ConfigError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def read(self, run: Run) -> dict | None:
        """The record of the run, finished or failed; None where there is none.

        Raises:
            ConfigError: the file is not a whole, unchanged record of this run.
        """
        path = self.path(run)
        try:
            content = path.read_bytes()
            record = json.loads(content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: corrupt record ({error}); delete it to compute the run again") from None
        if not isinstance(record, dict) or not (
            _as_written(content, record) or record.get("checksum") == checksum(record)
        ):
            raise ConfigError(f"{path}: checksum: does not match the record; delete it to compute the run again")
        if not isinstance(record.get("config"), dict) or DEFAULTS | record["config"] != run.settings:
            raise ConfigError(f"{path}: config: is not that of its run_id; delete it to compute the run again")
        if record.get("status") not in ("finished", "failed"):
            raise ConfigError(f"{path}: status: expected finished or failed; delete it to compute the run again")
        return record

    def evidence(self, runs: Iterable[Run]) -> str:
        """SHA-256 of the runs' records as they lie there, whole or not: what a notebook or a page is made from."""
        contents = [path.read_bytes() if (path := self.path(run)).is_file() else b"" for run in runs]
        return hashlib.sha256("".join(hashlib.sha256(content).hexdigest() for content in contents).encode()).hexdigest()

    def finished(self, run: Run) -> bool:
        """Whether there is a record, and not of a failure."""
        record = self.read(run)
        return record is not None and record["status"] == "finished"

    def write(self, run: Run, record: dict) -> None:
        """Writes the record, whole or not at all."""
        config = {name: v for name, v in run.settings.items() if name not in LATER or v != DEFAULTS[name]}
        record = {"run_id": run.run_id, "config": config, **record}
        record["checksum"] = checksum(record)
        write_whole(self.path(run), json.dumps(record, separators=(",", ":"), sort_keys=True), sync=True)


def _as_written(content: bytes, record: dict) -> bool:
    """Whether a file is as `write` leaves it and its checksum is right; else `checksum` has to write it again, which takes longer.

    Without its checksum and its seconds the file is what was digested. Each of the two keys stands in it once, and so on
    its outermost level; inside a string its quotation marks would have backslashes.
    """
    if content.count(b'"checksum":') != 1 or content.count(b'"seconds":') != ("seconds" in record):
        return False
    digested = re.sub(rb'"checksum":"[0-9a-f]{64}",|"seconds":[-+.0-9eE]+,', b"", content)
    return hashlib.sha256(digested).hexdigest() == record.get("checksum")


def checksum(record: dict) -> str:
    """SHA-256 of the record's content, its wall time aside: the same run on one machine has the same checksum."""
    content = {key: value for key, value in record.items() if key not in ("checksum", "seconds")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
