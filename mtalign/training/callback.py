"""What is kept of training while it goes on: the learning curve, beside each checkpoint too; and when it is to stop."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from transformers import TrainerCallback

from mtalign.config.paths import write_whole

CURVE = {  # learning curve column -> trl's name; `clip_fraction` and `step` are added
    "reward": "reward",
    "entropy": "entropy",
    "frac_reward_zero_std": "frac_reward_zero_std",
    "completion_length": "completions/mean_length",
    "truncated": "completions/clipped_ratio",
    "grad_norm": "grad_norm",
    "accuracy": "accuracy",
    "thinking": "thinking",
    "majority_right": "majority_right",
}


class Diverged(RuntimeError):
    """Training left the finite numbers."""


class Watch(TrainerCallback):
    """Keeps the learning curve, reports progress, stops where numbers are no longer finite.

    What the trainer does not keep in a checkpoint, the curve and the history, is kept beside it and found again.
    """

    KEPT = "mtalign.json"

    def __init__(self, progress):
        self.curve: list[dict] = []
        self.history: dict[int, list[float]] = {}
        self.progress = progress

    def resume(self, checkpoint: Path) -> int:
        """Goes on from the checkpoint; returns the whole epochs that were done before it."""
        watched = json.loads((checkpoint / self.KEPT).read_text(encoding="utf-8"))
        self.curve[:] = watched["curve"]
        self.history.update({int(row): seen for row, seen in watched["history"].items()})
        return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["epoch"])

    def on_save(self, args, state, control, **kwargs):
        if torch.distributed.is_initialized():
            torch.distributed.barrier()  # every process has written its part
        if state.is_world_process_zero:
            content = json.dumps({"curve": self.curve, "history": self.history})
            write_whole(Path(args.output_dir, f"checkpoint-{state.global_step}", self.KEPT), content)

    def on_log(self, args, state, control, logs=None, **kwargs):
        for key in ("loss", "grad_norm", "entropy"):
            if isinstance(value := logs.get(key), float) and not math.isfinite(value):
                raise Diverged(f"{key} is {value} after {state.global_step} updates")
        if "reward" in logs:  # the first update of each rollout
            point = {name: _short(logs.get(theirs)) for name, theirs in CURVE.items()}
            self.curve.append({"step": state.global_step} | point | {"clip_fraction": 0.0})
        if "clip_ratio/region_mean" in logs and self.curve:  # no ratio is off 1 in the first update: keep the largest
            point = self.curve[-1]
            point["clip_fraction"] = max(point["clip_fraction"], _short(logs["clip_ratio/region_mean"]))
        if self.progress:
            self.progress(state.global_step, state.max_steps)


def _short(value: float | None) -> float | None:
    """Five significant digits: what a learning curve needs."""
    return value if value is None else float(f"{value:.5g}")
