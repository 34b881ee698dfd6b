"""What a record says of where it comes from: versions, device, deviations; and the refusal of records of other versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from mtalign.config import plugins
from mtalign.config.errors import ConfigError
from mtalign.config.recipes import deviations
from mtalign.config.run import LATER, Run
from mtalign.models import dialled
from mtalign.models.load import is_micro

PACKAGES = ("mtalign", "torch", "transformers", "trl", "numpy")
DEVIATIONS = [  # from the studied paper's recipe, where ours differs for every micro run
    "base models pretrained here, of {size} parameters",
    "16 prompts x 16 completions per rollout (theirs: 128 x 16), 2 updates per rollout (as theirs)",
    "constant learning rate without warm-up, no weight decay (theirs: 10 steps of warm-up, 0.1)",
    "no group filter and no duplication (theirs: groups without spread are dropped, the batch refilled by copies)",
    "rewards not gated by format; answers compared after stripping spaces",
]


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
    micro = is_micro(run.model) and not any(
        getattr(run, name) != Run.__dataclass_fields__[name].default for name in LATER - {"fast"}
    )
    return origin | {"deviations": _of_micro(run.model) if micro else deviations(run)}


def _of_micro(model: str) -> list[str]:
    size = dialled.parse(model).size if dialled.is_dialled(model) else "85k"
    words = {"85k": "85 thousand", "650k": "0.65 million", "3m": "3 million"}[size]
    return [line.format(size=words) for line in DEVIATIONS]


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
