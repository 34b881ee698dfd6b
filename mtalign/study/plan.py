"""Plan: what a grid would take on a named device, before anything starts.

On a CPU the times are fitted to runs measured here (`calibration`). On GPUs they follow from counts of operations and bytes
and from two assumed efficiencies, never measured here; the plan says so. Memory follows from counts alone.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mtalign.config.grid import Grid, expand_grid
from mtalign.config.hub import listing
from mtalign.config.run import Run
from mtalign.models.load import is_micro
from mtalign.records.store import Records
from mtalign.report.words import count
from mtalign.study.calibration import calibration, evaluated
from mtalign.study.cost import DECODING, DEVICES, SHARE, TRAINING, cpu_cost, gpu_cost


def plan(grid: Grid, records: Records, workers: int, stems: list[str], device: str = "cpu") -> str:
    """What the grid would do and take, in lines for people; computes nothing.

    Args:
        stems: names of the notebooks to execute.
        device: "cpu", for micro models, or one of `DEVICES`.
    """
    missing = [run for run in grid.runs if not records.finished(run)]
    if device != "cpu":
        cost = _on_gpus(grid, missing, device)
    elif reason := _needs_more_than_a_cpu(missing):
        cost = [_line("cost", reason)]
    else:
        cost = _on_cpu(missing, len(stems), workers)
    return "\n".join([*_work(grid, missing, stems), *cost])


def _line(name: str, text: str) -> str:
    return f"  {name:10} {text}"


def _listed(names: Counter) -> str:
    """The names with how often each comes, where it comes more than once."""
    return ", ".join(f"{name} x {number}" if number > 1 else name for name, number in names.items())


def _work(grid: Grid, missing: list[Run], stems: list[str]) -> list[str]:
    """Lines for what there is to do: runs, which of them for each pair of model and task, notebooks."""
    sizes = [
        " x ".join((count(len(b.pairs), "pair"), count(len(b.arms), "arm"), count(len(b.seeds), "seed")))
        for b in grid.blocks.values()
    ]
    finished = len(grid.runs) - len(missing)
    lines = [f"grid {grid.name}: {' + '.join(sizes)}"]
    lines += [_line("runs", f"{len(grid.runs)}, of which {finished} are finished and {len(missing)} missing")]
    for pair in grid.pairs:
        planned = sum((run.model, run.task) == pair for run in grid.runs)
        arms = Counter(run.arm for run in missing if (run.model, run.task) == pair)
        todo = f"missing: {_listed(arms)}" if arms else "all finished"
        lines += [_line("", f"{', '.join(pair)}: {count(planned, 'run')}, {todo}")]
    lines += [_line("because", reason) for reason in reasons(grid)]
    named = Counter(stem.split(".")[0] for stem in stems)
    return [*lines, _line("notebooks", f"{len(stems)}: {_listed(named)}" if stems else "none: the grid names none")]


def reasons(grid: Grid) -> list[str]:
    """Why there are runs that no arm of the grid is: which arms need them, and what would do without."""
    asked: dict[Run, None] = {}
    needed: dict[Run, set[str]] = {}
    for block in grid.blocks.values():
        own = [arm for arm in block.arms if arm in ("base", "standard")]
        if own:
            asked |= dict.fromkeys(expand_grid(grid.name, block.pairs, own, block.seeds, grid.fixed, grid.own_arms))
        for run in block.runs:
            for need in run.needs:
                needed.setdefault(need, set()).add(run.arm)
    found: dict[tuple, int] = {}
    for run, arms in needed.items():
        if run not in asked:
            key = (run.arm, run.max_steps, tuple(sorted(arms - {"standard"} or arms)))
            found[key] = found.get(key, 0) + 1
    lines = []
    for (arm, updates, arms), number in found.items():
        if arm == "base":
            lines.append(f"{count(number, 'untrained model')} measured for {', '.join(arms)}")
        else:
            said = f"{count(number, 'standard run')} of {updates} updates, to rank the examples of {', '.join(arms)}"
            lines.append(f"{said} (`ranking: grid` in the arm takes the grid's standard runs instead)")
    return lines


def _needs_more_than_a_cpu(missing: list[Run]) -> str:
    """Why the time on a CPU cannot be planned; "" where it can."""
    models = [run.model for run in missing]
    if large := [model for model in models if model in listing()["models"]]:
        return f"{large[0]} needs GPUs: name one of them, --device {'|'.join(DEVICES)}"
    if others := [model for model in models if not is_micro(model)]:
        return f"not known: times were fitted to the shipped micro models, not to {others[0]}; {_drawn(missing)}"
    return ""


def _drawn(missing: list[Run]) -> str:
    """How many completions are drawn, and what lowers their number where most are drawn to evaluate."""
    trained = sum(run.max_steps * run.generation_batch_size // run.steps_per_generation for run in missing)
    measured = sum(evaluated(run) * run.num_samples for run in missing)
    said = f"it draws {trained:,} completions to train and {measured:,} to evaluate"
    return said + ("; for a first look lower eval_prompts and num_samples in fixed" if measured > trained else "")


def _on_cpu(missing: list[Run], notebooks: int, workers: int) -> list[str]:
    seconds, megabytes = cpu_cost(missing, notebooks)
    error = calibration()["error"]
    off = f"{error['median']:.0%}, nine of ten by less than {error['nine_of_ten']:.0%}"
    machine = f"micro models, 2 cores; a run is off by {off}, on the machine that was measured"
    return [
        _line("cost", f"about {seconds / workers / 60:.0f} min with {workers} workers ({machine})"),
        _line("disk", f"about {megabytes:.0f} MB"),
    ]


def _on_gpus(grid: Grid, missing: list[Run], name: str) -> list[str]:
    device, cost = DEVICES[name], gpu_cost(grid, missing, DEVICES[name])
    launched = Path(grid.resources.accelerate).stem or "one process"
    lines = [_line("device", f"{name}, {cost.gpus} for each run, {launched}")]
    for model, parts in cost.memory.items():
        total = sum(parts.values())
        fits = "fits" if total < device.memory and min(parts.values()) > 0 else "DOES NOT FIT"
        shown = ", ".join(f"{part} {size:.1f}" for part, size in parts.items())
        lines += [_line("memory", f"{model}: {total:.0f} of {device.memory:.0f} GiB on each GPU, {fits} ({shown})")]
    alone = cost.hours / cost.gpus
    lines += [_line("cost", f"about {cost.hours:,.0f} GPU hours, {alone:,.0f} hours with {cost.gpus} GPUs")]
    for block, hours in cost.hours_of_blocks.items() if len(grid.blocks) > 1 else []:
        lines += [_line("", f"{hours:,.0f} of them for {block}: {grid.blocks[block].title}")]
    assumed = f"mean completion of 1/{SHARE} of the longest, {TRAINING:.0%} of peak operations in training"
    assumed += f", {DECODING:.0%} of peak bandwidth in decoding; expect it to be wrong by a factor of 3 either way"
    disk = f"{cost.weights / 1e9:.0f} GB of models, {cost.checkpoints / 1e9:.0f} GB of checkpoints for each run at work"
    return [*lines, _line("", f"assumed, not measured: {assumed}"), _line("disk", disk)]
