"""One worker against two: seconds of the runs of one pair of the quick grid, in fresh folders."""

from __future__ import annotations

import statistics
import tempfile
import time

from tests.benchmarks.grid import ROOT

PAIR = ("micro-a", "ordering")


def measure(repeats: int = 3) -> dict:
    from mtalign.config.grid import load_grid
    from mtalign.records.store import Records
    from mtalign.runs.pool import complete

    runs = [run for run in load_grid(ROOT / "params/quick.yaml").runs if (run.model, run.task) == PAIR]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers, found in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                complete(runs, Records(folder), workers)
                found.append(time.monotonic() - began)
    one, two = (statistics.median(found) for found in seconds.values())
    return {"runs": len(runs), "seconds_1_worker": one, "seconds_2_workers": two, "ratio": one / two}
