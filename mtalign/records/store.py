"""Records on disk: one JSON file per finished run, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.paths import write_whole
from mtalign.config.run import LATER, Run


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
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: corrupt record ({error}); delete it to compute the run again") from None
        if not isinstance(record, dict) or record.get("checksum") != checksum(record):
            raise ConfigError(f"{path}: checksum: does not match the record; delete it to compute the run again")
        defaults = {field.name: field.default for field in fields(Run)}
        if not isinstance(record.get("config"), dict) or defaults | record["config"] != asdict(run):
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
        shown = {f.name for f in fields(Run) if f.name not in LATER or getattr(run, f.name) != f.default}
        config = {name: value for name, value in asdict(run).items() if name in shown}
        record = {"run_id": run.run_id, "config": config, **record}
        record["checksum"] = checksum(record)
        write_whole(self.path(run), json.dumps(record, separators=(",", ":"), sort_keys=True), sync=True)


def checksum(record: dict) -> str:
    """SHA-256 of the record's content, its wall time aside: the same run on one machine has the same checksum."""
    content = {key: value for key, value in record.items() if key not in ("checksum", "seconds")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
