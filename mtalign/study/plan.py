"""Plan: what a grid would take on a named device, before anything starts.

On a CPU the times are fitted to runs measured here (`calibration`). On GPUs they follow from counts of operations and bytes
and from two assumed efficiencies, never measured here; the plan says so. Memory follows from counts alone.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mtalign.config.grid import Grid
from mtalign.config.hub import listing
from mtalign.config.run import Run
from mtalign.models.load import is_micro
from mtalign.models.size import architecture, parameters
from mtalign.records.store import Records
from mtalign.study.calibration import calibration, core_seconds, evaluated
from mtalign.study.cost import DECODING, DEVICES, SHARE, TRAINING, gpu_hours, memory

SECONDS_PER_NOTEBOOK = 8.0  # one core of the machine in reports/LOG.md


def plan(grid: Grid, records: Records, workers: int, stems: list[str], device: str = "cpu") -> str:
    """What the grid would do and take, in lines for people; computes nothing.

    Args:
        stems: names of the notebooks to execute.
        device: "cpu", for micro models, or one of `DEVICES`.
    """
    missing = [run for run in grid.runs if not records.finished(run)]
    sizes = [f"{len(b.pairs)} pairs x {len(b.arms)} arms x {len(b.seeds)} seeds" for b in grid.blocks.values()]
    lines = [f"grid {grid.name}: {' + '.join(sizes)}"]
    lines += [
        f"  runs       {len(grid.runs)}, of which {len(grid.runs) - len(missing)} are finished and {len(missing)} missing"
    ]
    for model, task in grid.pairs:
        count, arms = (
            Counter(r.arm for r in these if (r.model, r.task) == (model, task)) for these in (grid.runs, missing)
        )
        todo = ", ".join(f"{arm} x {number}" if number > 1 else arm for arm, number in arms.items())
        lines += [
            f"             {model}, {task}: {count.total()} runs, {f'missing: {todo}' if todo else 'all finished'}"
        ]
    kinds = Counter(stem.split(".")[0] for stem in stems)
    lines += [
        f"  notebooks  {len(stems)}: {', '.join(f'{kind} x {n}' if n > 1 else kind for kind, n in kinds.items())}"
    ]
    large = [run for run in missing if run.model in listing()["models"]]
    if device != "cpu":
        return "\n".join(lines + _on_gpus(grid, missing, device))
    if large:
        return "\n".join(
            [*lines, f"  cost       {large[0].model} needs GPUs: name one of them, --device {'|'.join(DEVICES)}"]
        )
    if others := [run.model for run in missing if not is_micro(run.model)]:
        return "\n".join(
            [*lines, f"  cost       not known: times were fitted to the shipped micro models, not to {others[0]}"]
        )
    seconds = sum(map(core_seconds, missing)) + SECONDS_PER_NOTEBOOK * len(stems)
    error = calibration()["error"]
    lines += [f"  cost       about {seconds / workers / 60:.0f} min with {workers} workers (micro models, 2 cores; a run is off by {error['median']:.0%}, nine of ten by less than {error['nine_of_ten']:.0%}, on the machine that was measured)"]  # fmt: skip
    size = sum(
        3e3 + (60 if run.max_steps else 150) * evaluated(run) for run in missing
    )  # bytes, as committed records have
    return "\n".join([*lines, f"  disk       about {size / 1e6 + 0.4 * len(stems):.0f} MB"])


def _on_gpus(grid: Grid, missing: list[Run], name: str) -> list[str]:
    device, resources = DEVICES[name], grid.resources
    gpus = max(1, resources.gpus)
    lines = [f"  device     {name}, {gpus} for each run, {Path(resources.accelerate).stem or 'one process'}"]
    kinds = {(run.model, run.max_steps > 0): run for run in missing}
    for model in dict.fromkeys(run.model for run in missing):
        run = kinds.get((model, True)) or kinds[model, False]
        parts = memory(run, resources, device)
        shown = ", ".join(f"{part} {size:.1f}" for part, size in parts.items())
        fits = "fits" if sum(parts.values()) < device.memory and min(parts.values()) > 0 else "DOES NOT FIT"
        lines += [
            f"  memory     {model}: {sum(parts.values()):.0f} of {device.memory:.0f} GiB on each GPU, {fits} ({shown})"
        ]
    by_run = {run: gpu_hours(run, resources, device) for run in missing}
    hours = sum(by_run.values())
    lines += [f"  cost       about {hours:,.0f} GPU hours, {hours / gpus:,.0f} hours with {gpus} GPUs"]
    for name, block in grid.blocks.items() if len(grid.blocks) > 1 else []:
        share = sum(by_run.pop(run, 0.0) for run in block.runs)  # a run of two blocks counts in the first
        lines += [f"             {share:,.0f} of them for {name}: {block.title}"]
    lines += [f"             assumed, not measured: mean completion of 1/{SHARE} of the longest, {TRAINING:.0%} of peak operations in training, {DECODING:.0%} of peak bandwidth in decoding; expect it to be wrong by a factor of 3 either way"]  # fmt: skip
    models = sum(2 * parameters(architecture(model)) for model in {run.model for run in missing})
    kept = max((12 * parameters(architecture(run.model)) for run in missing if run.max_steps), default=0)
    kept *= resources.trl.get("save_total_limit", 2) * (resources.save_steps > 0)
    lines += [f"  disk       {models / 1e9:.0f} GB of models, {kept / 1e9:.0f} GB of checkpoints for each run at work"]
    return lines
