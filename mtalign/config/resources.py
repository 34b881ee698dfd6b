"""Resources: what a run is computed with, and not what it computes. The section `resources` of a grid file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ResourcesError, check_keys, mismatch

# Options of trl's GRPOConfig that may pass through, besides all that begin with `vllm_`.
PASSED = {
    "report_to", "run_name", "project", "trackio_space_id", "log_completions", "num_completions_to_print",
    "gradient_checkpointing", "gradient_checkpointing_kwargs", "use_liger_kernel", "torch_compile",
    "ds3_gather_for_generation", "cache_implementation", "dataloader_num_workers", "save_total_limit", "ddp_timeout",
}  # fmt: skip

LEAST = {"gpus": 0, "cpus": 1, "processes": 1, "micro_batch": 0, "save_steps": 0}  # the smallest possible values


@dataclass(frozen=True)
class Resources:
    """What one run needs and how its training is spread.

    With more than one process, or an accelerate configuration, training runs under `accelerate launch`; results then
    agree with those of one process up to rounding and the order of samples, and the record says what was used.
    """

    gpus: int = 0  # for one run
    cpus: int = 1  # for one run
    processes: int = 1  # of training; with GPUs, one for each
    accelerate: str = ""  # an accelerate configuration: a file, or one of params/accelerate by its name
    micro_batch: int = 0  # completions in one forward pass of a process; 0: all that an update has
    save_steps: int = 0  # updates between checkpoints; 0: none, and an interrupted run begins again
    trl: dict = field(default_factory=dict, hash=False)  # options of GRPOConfig that pass through, of `PASSED`

    @property
    def launched(self) -> bool:
        """Whether training runs in processes of its own."""
        return self.processes > 1 or bool(self.accelerate)


def make_resources(values: dict) -> Resources:
    """Checked resources; `accelerate` is a file, or one of the shipped configurations by its name.

    >>> make_resources({"gpus": -1})
    Traceback (most recent call last):
    mtalign.config.errors.ResourcesError: gpus: expected 0 or more, got -1
    """
    kinds = {f.name: {"str": str, "int": int, "dict": dict}[f.type] for f in dataclasses.fields(Resources)}
    check_keys("", values, kinds, error=ResourcesError)
    for key, value in values.items():
        if message := mismatch(value, kinds[key]):
            raise ResourcesError(f"{key}: {message}")
    resources = Resources(**values)
    for key, least in LEAST.items():
        if getattr(resources, key) < least:
            raise ResourcesError(f"{key}: expected {least} or more, got {getattr(resources, key)}")
    for key in resources.trl:
        if key not in PASSED and not str(key).startswith("vllm_"):
            raise ResourcesError(f"trl: {key}: cannot be set here; known: vllm_..., {', '.join(sorted(PASSED))}")
    if resources.gpus and "processes" in values and resources.processes != resources.gpus:
        raise ResourcesError(
            f"processes: {resources.processes} is not the number of gpus {resources.gpus}; leave it out"
        )
    if resources.gpus > 1:
        resources = dataclasses.replace(resources, processes=resources.gpus)
    if resources.accelerate:
        files = [p for p in (Path(resources.accelerate), shipped(resources.accelerate)) if p.is_file()]
        if not files:
            known = ", ".join(sorted(p.stem for p in shipped("").parent.glob("*.yaml")))
            raise ResourcesError(f"accelerate: no file {resources.accelerate!r}; shipped: {known}")
        resources = dataclasses.replace(resources, accelerate=str(files[0].resolve()))
    return resources


def shipped(name: str) -> Path:
    """The shipped accelerate configuration of that name."""
    return paths.shared("params") / "accelerate" / f"{name}.yaml"


def batches(generation: int, updates: int, resources: Resources) -> tuple[int, int]:
    """Completions per process and forward pass, and how many of those make up an update.

    Args:
        generation: completions of a rollout.
        updates: of each rollout.

    Raises:
        ResourcesError: the batch cannot be split; the message names the nearest possible value.

    >>> batches(2048, 2, Resources(processes=8, micro_batch=4))
    (4, 32)
    """
    share, rest = divmod(generation // updates, resources.processes)
    if rest or share < 1:
        raise ResourcesError(f"processes: {resources.processes} do not divide an update of {generation // updates}")
    micro = resources.micro_batch or share
    if share % micro:
        nearest = max(d for d in range(1, share + 1) if share % d == 0 and d <= max(1, micro))
        raise ResourcesError(f"micro_batch: {micro} does not divide a process's {share} completions; use {nearest}")
    return micro, share // micro


def check_machine(runs, resources: Resources, workers: int) -> None:
    """Whether this machine can compute the runs, asked before any starts.

    Raises:
        ResourcesError: GPUs or a package are missing.
    """
    if resources.gpus and workers > 1:
        raise ResourcesError(
            "gpus: several runs at a time need --executor ray, which gives each its own; or --workers 1"
        )
    if resources.gpus:
        import torch

        if resources.gpus > (here := torch.cuda.device_count()):
            raise ResourcesError(f"gpus: {resources.gpus} are asked for and {here} are here")
    reports = resources.trl.get("report_to", "none")
    needed = {"vllm": any(run.rollouts == "vllm" for run in runs), "peft": any(run.lora_rank for run in runs)}
    needed |= {"deepspeed": Path(resources.accelerate).stem.startswith("zero")}
    needed |= {name: name in reports for name in ("tensorboard", "wandb", "trackio")}
    for package, asked in needed.items():
        if asked and find_spec(package) is None:
            raise ResourcesError(f"the package {package} is asked for and not installed")
