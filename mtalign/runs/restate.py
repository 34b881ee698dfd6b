"""States the deviations of finished records again from their config, where the words of an older version were wrong or incomplete.

    python -m mtalign.runs.restate reports/study/records

Nothing else in a record changes but its checksum, which covers the deviations. Pages are made again afterwards (`mtalign report`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.runs.provenance import deviations_of


def restate(folder: str | Path) -> tuple[int, int]:
    """Writes each finished record again whose `deviations` are not those of its config.

    Returns:
        How many records were changed, and how many are finished.

    Raises:
        ConfigError: a file is not a whole, unchanged record of the run whose name it has; all are read before one is written.
    """
    records, finished = Records(folder), {}
    for path in sorted(records.folder.glob("*.json")):
        run = _run(path)
        record = records.read(run) if records.path(run) == path else None
        if record is None:
            raise ConfigError(f"{path}: is not called by its run_id, {run.run_id}")
        if record["status"] == "finished":
            finished[run] = record
    stale = {run: record for run, record in finished.items() if record.get("deviations") != deviations_of(run)}
    for run, record in stale.items():
        records.write(run, record | {"deviations": deviations_of(run)})
    return len(stale), len(finished)


def _run(path: Path) -> Run:
    """The run that a record's config describes."""
    try:
        return Run(**json.loads(path.read_bytes())["config"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"{path}: corrupt record ({error})") from None


def main(arguments: list[str]) -> int:
    """Restates the records of each folder and says how many changed."""
    if not arguments or any(not Path(folder).is_dir() for folder in arguments):
        raise SystemExit("usage: python -m mtalign.runs.restate FOLDER ...")
    for folder in arguments:
        changed, finished = restate(folder)
        print(f"{folder}: {changed} of {finished} finished records restated")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
