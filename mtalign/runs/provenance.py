"""What a record says of where it comes from: versions, device, deviations; and the refusal of records of other versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from mtalign.config import plugins, recipes
from mtalign.config.errors import ConfigError
from mtalign.config.run import Run
from mtalign.models import dialled
from mtalign.models.load import is_micro
from mtalign.tasks.micro import MICRO

PACKAGES = ("mtalign", "torch", "transformers", "trl", "numpy")
GATED = ("random_gated", "incorrect_released", "format_only", "format_one_line")  # rewards in which the format counts


def provenance(run: Run | None = None) -> dict:
    """Versions and device, and where the run deviates from what was published, for its record."""
    import torch

    used = "CPU, 1 thread"
    if torch.cuda.is_available():
        used = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    device = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {used}"
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    origin = {"versions": versions, "device": device}
    if run is None:
        return origin
    if run.cpu_bf16 and not torch.cuda.is_available():
        from mtalign.speed.cpu import has_bfloat16

        origin["device"] += ", products in bfloat16" if has_bfloat16() else ""
    return origin | {"deviations": deviations_of(run)}


def deviations_of(run: Run) -> list[str]:
    """Where a run differs from the original of its technique or from the paper's scripts, a line for each, from its settings alone.

    >>> lines = deviations_of(Run("micro-a", "logic", "majority_4", reward="majority_vote", num_generations=4))
    >>> lines[0], lines[1]
    ('base models pretrained here, of 85 thousand parameters', '64 prompts x 4 completions per rollout (TTRL: 8 x 64), 2 updates per rollout (TTRL: 8)')
    >>> "beta: 0.0 (TTRL: 0.001)" in lines
    True
    """
    if not is_micro(run.model):
        return recipes.deviations(run)
    size = dialled.parse(run.model).size if dialled.is_dialled(run.model) else "85k"
    lines = [f"base models pretrained here, of {dialled.SIZES[size].parameters} parameters"]
    if run.max_steps:
        lines += [line for line in (recipes.rollouts(run),) if line] + recipes.deviations(run, but=recipes.ROLLOUT)
        lines += ["rewards not gated by format"] if run.reward not in GATED else []
    compared = run.task not in MICRO or MICRO[run.task].kind == "exact"
    return lines + (["answers compared after stripping spaces"] if compared else [])


def refuse_stale(records: list[dict], folder) -> None:
    """Raises `ConfigError` where a finished record was made with other versions than those installed, or other plug-ins.

    Our own code needs no version here: what changes the result of a run changes `config.RECIPE`, and with it the name
    under which records are looked for. Builds of one version (`2.13.0+cpu`) count as the same.
    """
    installed = {name: version(name).partition("+")[0] for name in PACKAGES if name != "mtalign"}
    stale = []
    for record in records:
        versions = {name: str(record.get("versions", {}).get(name)).partition("+")[0] for name in installed}
        differences = [
            f"{n} {versions[n]}, installed is {installed[n]}" for n in installed if versions[n] != installed[n]
        ]
        now = plugins.digests(record["config"])
        differences += [
            f"another version of {n.partition(':')[0]}" for n in now if record.get("plugins", {}).get(n) != now[n]
        ]
        stale += [f"{record['run_id']}: made with {differences[0]}"] if differences else []
    if stale:
        raise ConfigError(
            f"{folder}: {len(stale)} stale records are not used, the first {stale[0]}; go back to that version, choose "
            f"another folder, or delete them to compute them again"
        )
