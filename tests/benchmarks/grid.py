"""Runs per hour of the quick grid, against a stock trl script started for each run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parents[2]
STOCK = ("standard", "random", "majority_vote", "one_shot")  # arms that trl's trainer has without a subclass


def study(out: Path, workers: int = 2) -> dict:
    """`mtalign study params/quick.yaml` on an empty folder: seconds in all and until the runs were done; peak memory."""
    command = [sys.executable, "-m", "mtalign", "study", str(ROOT / "params/quick.yaml"), "--out", str(out)]
    began, runs_done, peak = time.monotonic(), None, 0
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        time.sleep(0.5)
        peak = max(peak, memory(parent))
        if runs_done is None and len(list(out.glob("records/*.json"))) == 44:
            runs_done = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    return {"seconds": time.monotonic() - began, "runs_seconds": runs_done, "peak_bytes": peak}


def memory(process: psutil.Process) -> int:
    """Memory of a process and its children that they share with no other, in bytes."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().uss
        except psutil.Error:  # it has just ended
            continue
    return total


def stock(run, rows: list[int]) -> dict:
    """Seconds of a stock script for one run, and the accuracies that it measured."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.stock"], input=json.dumps(asdict(run) | {"rows": rows}),
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"stock script: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.monotonic() - began}


def measure(repeats: int = 3) -> dict:
    """Medians of `repeats`; the accuracies after training of both ways, run by run."""
    from mtalign.config.grid import load_grid
    from mtalign.records.store import Records
    from mtalign.records.tables import accuracies

    runs = load_grid(ROOT / "params/quick.yaml").runs
    ours, theirs, compared = [], {arm: [] for arm in STOCK}, []
    chosen = [run for run in runs if run.arm in STOCK and (run.model, run.task, run.seed) == ("micro-a", "ordering", 0)]
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "quick"
            ours.append(study(out))
            records = Records(out / "records")
            for run in chosen:
                record = records.read(run)
                found = stock(run, record.get("rows", []))
                theirs[run.arm].append(found["seconds"])
                if repeat == 0:
                    after = [float(accuracies([records.read(r)]).mean()) for r in runs if same_but_seed(r, run)]
                    compared.append({"arm": run.arm, "ours": after, "stock": found["after"]})
    per_run = float(np.mean([statistics.median(seconds) for seconds in theirs.values()]))
    seconds = statistics.median(each["runs_seconds"] for each in ours)
    return {
        "runs": len(runs),
        "seconds_of_runs": seconds,
        "seconds_of_study": statistics.median(each["seconds"] for each in ours),
        "runs_per_hour": 3600 * len(runs) / seconds,
        "stock_seconds_per_run": per_run,
        "stock_runs_per_hour": 3600 / per_run,
        "ratio": per_run * len(runs) / seconds,
        "peak_memory_mb": statistics.median(each["peak_bytes"] for each in ours) / 1e6,
        "accuracy_after": compared,
    }


def same_but_seed(a, b) -> bool:
    return (a.model, a.task, a.arm) == (b.model, b.task, b.arm)
