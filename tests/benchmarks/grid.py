"""Runs per hour of the quick grid, in rounded and in exact arithmetic, against the best that stock trl does on this machine.

The baseline is a loop over runs, as a person would write it with trl's trainer and transformers' `generate`; its imports,
paid once, are not counted. Processes and threads are tried in each way that uses all cores, and the fastest is kept.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
STOCK = ("standard", "random", "majority_vote", "one_shot")  # arms that trl's trainer has without a subclass
SEEDS = (0, 1)  # of the quick grid's


def ways(cores: int) -> list[tuple[int, int]]:
    """Processes and threads of each that use all cores, and one more process with one thread each where cores are odd.

    >>> ways(2), ways(4)
    ([(1, 2), (2, 1)], [(1, 4), (2, 2), (4, 1)])
    """
    return [(n, cores // n) for n in range(1, cores + 1) if cores % n == 0]


def ours(runs, out: Path, workers: int) -> float:
    """Seconds until all runs have their record, the start of the worker processes included."""
    from mtalign.records.store import Records
    from mtalign.runs.pool import complete

    began = time.monotonic()
    counts = complete(runs, Records(out), workers)
    if counts["failed"]:
        raise RuntimeError(f"{counts['failed']} runs failed")
    return time.monotonic() - began


def stock(given: list[dict], processes: int, threads: int) -> list[list[dict]]:
    """What each of several stock scripts at the same time found for the runs: accuracies and seconds of each run."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    scripts = []
    for index in range(processes):
        lines = "".join(json.dumps(run) + "\n" for run in given[index:] + given[:index])  # not all the same at a time
        script = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.stock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=environment,
        )  # fmt: skip
        script.stdin.write(lines)
        script.stdin.close()
        scripts.append(script)
    found = []
    for script in scripts:
        found.append([json.loads(line) for line in script.stdout if line.startswith("{")])
        if script.wait():
            raise RuntimeError(f"stock script: exit status {script.returncode}")
    return found


def measure(repeats: int = 3) -> dict:
    """Medians of `repeats`; the accuracies after training of both ways, run by run."""
    from mtalign.config.grid import load_grid
    from mtalign.records.store import Records
    from mtalign.records.tables import accuracies

    cores = os.cpu_count() or 1
    runs = [run for run in load_grid(ROOT / "params/quick.yaml").runs if run.seed in SEEDS]
    chosen = [run for run in runs if run.arm in STOCK and (run.model, run.task, run.seed) == ("micro-a", "ordering", 0)]
    seconds: dict[str, list[float]] = {"fast": [], "exact": []}
    theirs: dict[tuple[int, int], list[float]] = {way: [] for way in ways(cores)}
    compared: list[dict] = []
    for _ in range(repeats):
        for kind, found in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                asked = [replace(run, fast=kind == "fast" and run.max_steps > 0) for run in runs]
                found.append(ours(asked, Path(folder), cores))
                records = Records(folder)
                if kind == "fast":
                    fast = {run: records.read(replace(run, fast=True)) for run in chosen}
                    given = [asdict(run) | {"rows": fast[run].get("rows", [])} for run in chosen]
                    after = {run.arm: float(accuracies([record]).mean()) for run, record in fast.items()}
        for (processes, threads), found in theirs.items():
            scripts = stock(given, processes, threads)
            found.append(processes * 3600 / statistics.mean(run["seconds"] for script in scripts for run in script))
        compared = [{"arm": run["arm"], "ours": after[run["arm"]], "stock": run["after"]} for run in scripts[0]]
    hourly = {kind: 3600 * len(runs) / statistics.median(found) for kind, found in seconds.items()}
    stocks = {f"{n} processes x {t} threads": statistics.median(found) for (n, t), found in theirs.items()}
    best = max(stocks.values())
    return {
        "runs": len(runs),
        "runs_per_hour": hourly,
        "stock_runs_per_hour": stocks,
        "ratio": {kind: each / best for kind, each in hourly.items()},
        "accuracy_after": compared,
    }
