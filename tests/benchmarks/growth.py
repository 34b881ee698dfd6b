"""Seconds and memory against the number of runs, of prompts and of samples: they should grow in proportion."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = (250, 500, 1000)
SIZES = ((100, 64), (200, 64), (400, 64), (100, 128), (100, 256))  # prompts, samples
GRID = """
grid: {model: [micro-a, micro-b], task: [ordering, logic], arm: [base, standard, random, majority_vote, nsr], seed: [SEEDS]}
fixed: {max_steps: 2, train_prompts: 16, eval_prompts: 20, num_samples: 16}
notebooks: {each: {}, final: {}}
"""
MEASURE = """
import sys
from pathlib import Path
from mtalign.cli import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text(), file=sys.stderr)
"""
EVALUATE = """
import sys, time, torch
from pathlib import Path
torch.set_num_threads(1)
from mtalign.models import load_model
from mtalign.generation.evaluate import evaluate
from mtalign.tasks import Example, load_task
model, tokenizer = load_model("micro-a")
task = load_task("ordering")
examples = (task.train + task.eval)[: int(sys.argv[1])]
options = {"max_tokens": 20, "seed": 0}
evaluate(model, tokenizer, examples[:5], task.kind, num_samples=16, **options)
began = time.perf_counter()
evaluate(model, tokenizer, examples, task.kind, num_samples=int(sys.argv[2]), **options)
print("seconds", time.perf_counter() - began)
print(Path("/proc/self/status").read_text())
"""


def command(*args) -> tuple[float, float]:
    """Seconds and peak memory in MB of `mtalign ARGS`."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, args)], capture_output=True, text=True, cwd=ROOT
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"mtalign {' '.join(map(str, args))}: {done.stderr[-2000:]}")
    return time.monotonic() - began, peak_mb(done.stderr)


def peak_mb(status: str) -> float:
    """The largest resident memory that Linux notes for a process, in MB: of the process after its `exec` alone."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[-1]) / 1024


def finished(folder: Path, number: int) -> Path:
    """The output folder of a grid of at least `number` finished runs: copies of few, with the counts of each shifted."""
    from mtalign.config.grid import load_grid
    from mtalign.records.store import Records
    from mtalign.runs.execute import execute

    path, out = folder / f"runs_{number}.yaml", folder / str(number)
    seeds = -(-(number - 4) // 16)
    path.write_text(GRID.replace("SEEDS", ", ".join(map(str, range(seeds)))))
    records, made = Records(out / "records"), {}
    records.prepare()
    for run in sorted(load_grid(path).runs, key=lambda run: len(run.needs)):
        kind = run.model, run.task, run.arm
        if kind not in made:
            made[kind] = execute(run, records)
        record = made[kind]
        correct = [max(0, count - (run.seed + i) % 2) for i, count in enumerate(record["after"]["correct"])]
        shifted = record["after"] | {"correct": correct} if run.arm != "base" else record["after"]
        records.write(run, record | {"after": shifted})
    subprocess.run([sys.executable, "-m", "mtalign", "study", str(path), "--out", str(out)], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    return out


def measure(repeats: int = 1) -> dict:
    """Seconds and peak memory of planning, checking and reporting finished runs, and of evaluating a micro model."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in RUNS:
            out = finished(Path(folder), number)
            done = {
                "plan": command("plan", Path(folder) / f"runs_{number}.yaml", "--out", out),
                "verify": command("verify", out),
                "report": command("report", out),
            }
            rows[number] = {name: {"seconds": s, "peak_mb": mb} for name, (s, mb) in done.items()}
            rows[number]["seconds"] = sum(s for s, _ in done.values())
    sizes = []
    for prompts, samples in SIZES:
        done = subprocess.run(
            [sys.executable, "-c", EVALUATE, str(prompts), str(samples)], capture_output=True, text=True, cwd=ROOT,
            check=True,
        )  # fmt: skip
        seconds = float(re.findall(r"seconds (\S+)", done.stdout)[-1])
        sizes.append({"prompts": prompts, "samples": samples, "seconds": seconds, "peak_mb": peak_mb(done.stdout)})
    return {"runs": rows, "evaluation": sizes}
