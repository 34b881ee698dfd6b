"""Seconds and peak memory of `mtalign study params/quick.yaml`, from an empty folder to the pages."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.benchmarks.grid import ROOT


def study(out: Path, workers: int = 2) -> dict:
    """Seconds in all, and the largest memory of all its processes."""
    command = [sys.executable, "-m", "mtalign", "study", str(ROOT / "params/quick.yaml"), "--out", str(out)]
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        time.sleep(0.5)
        peak = max(peak, memory(parent))
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    return {"seconds": time.monotonic() - began, "peak_bytes": peak}


def memory(process: psutil.Process) -> int:
    """Memory of a process and its children that they share with no other, in bytes."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().uss
        except psutil.Error:  # it has just ended
            continue
    return total


def measure(repeats: int = 3) -> dict:
    """Medians of `repeats`."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            found.append(study(Path(folder) / "quick"))
    return {
        "seconds": statistics.median(each["seconds"] for each in found),
        "peak_memory_mb": statistics.median(each["peak_bytes"] for each in found) / 1e6,
    }
