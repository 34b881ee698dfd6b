"""What a finished study costs to plan, to check and to report grows with its runs, and no faster."""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_pages import GRID, synthetic

from mtalign.config.grid import load_grid
from mtalign.records.store import Records
from mtalign.report.site import make_report
from mtalign.runs.provenance import provenance
from mtalign.study.verify import verify

MANY = """
grid: {model: [micro-a, micro-b], task: [ordering, logic], arm: [base, standard, random, majority_vote, nsr], seed: SEEDS}
fixed: {max_steps: 4, train_prompts: 16, eval_prompts: 20, num_samples: 16}
notebooks: {each: {}, final: {}}
"""


def reads(folder, seeds, monkeypatch):
    """How often each record is read to report and to check a study of so many seeds."""
    folder.mkdir()
    (folder / "g.grid.yaml").write_text(GRID.replace("[0, 1]", str(list(range(seeds)))).replace("10_verdicts: {}", ""))
    grid, records = load_grid(folder / "g.grid.yaml"), Records(folder / "records")
    records.prepare()
    for run in grid.runs:
        records.write(run, synthetic(run))
    counted, read = [], Records.read
    with monkeypatch.context() as patch:
        patch.setattr(Records, "read", lambda self, run: counted.append(run) or read(self, run))
        make_report(folder)
        verify(folder)
    return len(counted) / len(grid.runs)


def test_each_record_is_read_as_often_whatever_the_number_of_runs(tmp_path, monkeypatch):
    few, many = (reads(tmp_path / str(seeds), seeds, monkeypatch) for seeds in (2, 8))
    assert many < 1.1 * few < 25, (few, many)


def shown(run, rng, made):
    """A record of a trained or an untrained model, with counts drawn at random."""
    right = rng.binomial(16, 0.9 if run.arm in ("standard", "nsr") else 0.2, 20).tolist()
    found = {"num_samples": 16, "correct": right, "greedy": [True] * 20, "majority": [1.0] * 20, "thinking": 0.4}
    if run.arm == "base":
        found |= {"answers": [{"9": r, "3": 16 - r} for r in right]}
        return {"status": "finished", "before": found, "after": found, "seconds": 1.0} | made
    curve = {"step": [1, 3], "accuracy": [0.1, 0.9], "reward": [0.1, 0.9], "frac_reward_zero_std": [0.1, 0.1]}
    return {"status": "finished", "before": found, "after": found, "seconds": 1.0, "curve": curve} | made


@pytest.mark.slow
def test_ten_thousand_runs_take_less_than_a_minute_of_one_core_and_a_gigabyte(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "os.fsync", lambda file: None
    )  # ten thousand of them take minutes, and no study writes so many at once
    grid_file = tmp_path / "g.grid.yaml"
    grid_file.write_text(MANY.replace("SEEDS", json.dumps(list(range(625)))))
    grid, records, rng = load_grid(grid_file), Records(tmp_path / "records"), np.random.default_rng(0)
    records.prepare()
    made = provenance(grid.runs[0])
    for run in grid.runs:
        records.write(run, shown(run, rng, made))
    assert len(grid.runs) > 10_000
    seconds = memory = 0
    for words in (["plan", grid_file, "--out", tmp_path], ["report", tmp_path], ["verify", tmp_path]):
        command = [sys.executable, "-c", MEASURED, sys.executable, "-m", "mtalign", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "Traceback" not in done.stderr and done.stdout, done.stderr
        used = json.loads(done.stdout.splitlines()[-1])
        seconds, memory = seconds + used[0], max(memory, used[1])
    assert seconds < 60 and memory < 1e6, (seconds, memory)


# A process begins with the largest memory of the one that started it, here of all tests before: so that a small one starts it.
MEASURED = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
