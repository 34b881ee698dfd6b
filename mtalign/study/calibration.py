"""Calibration: what micro runs take on one core, fitted to runs that were measured.

`python -m mtalign.study.calibration FOLDER/records ...` makes params/calibration.yaml again, with the error on runs that it was
not fitted to. The runs must be of this version: records that are committed were timed with an older, slower one.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import yaml

from mtalign.config import paths
from mtalign.config.run import Run


@lru_cache
def calibration() -> dict:
    """Seconds of a core for a thousand of each kind of completion, and for a run, as measured; and the error."""
    return yaml.safe_load((paths.shared("params") / "calibration.yaml").read_text(encoding="utf-8"))


def evaluated(run: Run) -> int:
    """Prompts that a run samples for evaluation: those held out, and of an untrained model those to train on."""
    return run.eval_prompts + (run.train_prompts if run.max_steps == 0 else 0)


def work(run: Run) -> dict[str, float]:
    """What a micro run consists of: thousands of completions sampled for evaluation, or to train on them, in either way."""
    trained = run.max_steps * run.generation_batch_size / run.steps_per_generation
    return {
        "run": 1.0,
        "evaluated": evaluated(run) * run.num_samples / 1e3,
        "trained": 0.0 if run.fast else trained / 1e3,
        "trained_fast": trained / 1e3 if run.fast else 0.0,
    }


def core_seconds(run: Run) -> float:
    """Seconds of a micro run on one core of the machine that was measured."""
    return sum(calibration()["seconds"][kind] * amount for kind, amount in work(run).items())


def calibrate(folders: list[Path]) -> dict:
    """Fits the seconds to half of the finished runs (every other one, by name), by least squares of relative errors.

    Returns:
        `seconds` for each kind of `work`, and on the other half the `error`: |predicted / measured - 1|.
    """
    import numpy as np
    from scipy.optimize import nnls

    records = [json.loads(path.read_text()) for folder in folders for path in sorted(folder.glob("*.json"))]
    records = [record for record in records if record["status"] == "finished"]
    known = set(Run.__dataclass_fields__)
    amounts = [work(Run(**{k: v for k, v in record["config"].items() if k in known})) for record in records]
    seconds = np.array([record["seconds"] for record in records])
    matrix = np.array([list(amount.values()) for amount in amounts])
    fitted, _ = nnls(matrix[::2] / seconds[::2, None], np.ones(len(seconds[::2])))
    error = np.abs(matrix[1::2] @ fitted / seconds[1::2] - 1)
    return {
        "runs": len(records),
        "seconds": {kind: round(float(value), 4) for kind, value in zip(amounts[0], fitted, strict=True)},
        "error": {"median": round(float(np.median(error)), 3), "nine_of_ten": round(float(np.quantile(error, 0.9)), 3)},
    }


if __name__ == "__main__":
    text = "# Made by `python -m mtalign.study.calibration` from the quick grid, as it is and with `fast: false`:"
    text += " seconds of a core, fitted to\n# half of the runs; error on the rest.\n"
    text += yaml.safe_dump(calibrate([Path(folder) for folder in sys.argv[1:]]), sort_keys=False)
    (paths.shared("params") / "calibration.yaml").write_text(text, encoding="utf-8")
    print(text, end="")
