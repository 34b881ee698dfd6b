"""What runs take: on a CPU as measured, on GPUs from counts of operations and bytes and two assumed efficiencies.

Only numbers; `plan` puts them into words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtalign.config.grid import Grid
from mtalign.config.resources import Resources, batches
from mtalign.config.run import Run
from mtalign.models.size import architecture, cache_bytes, lora_parameters, parameters
from mtalign.study.calibration import core_seconds, evaluated

GIB = 2**30

SECONDS_PER_NOTEBOOK = 3.0  # of one core, of the quick grid's on a busy machine: 0.5 of them to start and to write
PROMPT = 256  # tokens, assumed for prompts that are not at hand
SHARE = 8  # assumed: the most tokens that a completion may have, divided by those of the mean one
TRAINING, DECODING = 0.35, 0.5  # assumed: share of peak operations in training, of peak bandwidth in decoding


@dataclass(frozen=True)
class Device:
    """A GPU: memory in GiB, bfloat16 operations and bytes per second (vendor's data sheets, dense, without sparsity)."""

    memory: float
    operations: float
    bandwidth: float


DEVICES = {
    "h200": Device(131, 989e12, 4.8e12),
    "h100": Device(74.5, 989e12, 3.35e12),
    "a100-80gb": Device(74.5, 312e12, 2.04e12),
    "a100-40gb": Device(37.2, 312e12, 1.55e12),
    "l40s": Device(44.7, 362e12, 0.86e12),
    "rtx4090": Device(22.3, 165e12, 1.01e12),
}


@dataclass(frozen=True)
class GpuCost:
    """What missing runs take on GPUs of one kind."""

    gpus: int  # for each run
    memory: dict[str, dict[str, float]]  # model -> part -> GiB of each GPU in training, or in evaluation if not trained
    hours: float  # GPU hours of all runs
    hours_of_blocks: dict[str, float]  # of those, by block of the grid; a run of two blocks counts in the first
    weights: int  # bytes of all models, in 16 bits
    checkpoints: int  # bytes of the checkpoints that a run at work keeps


def cpu_cost(missing: list[Run], notebooks: int) -> tuple[float, float]:
    """Seconds on one core of the machine that was measured, and megabytes of records and executed notebooks."""
    seconds = sum(map(core_seconds, missing)) + SECONDS_PER_NOTEBOOK * notebooks
    records = sum(3e3 + (60 if run.max_steps else 150) * evaluated(run) for run in missing)  # bytes, as committed ones
    return seconds, records / 1e6 + 0.4 * notebooks


def gpu_cost(grid: Grid, missing: list[Run], device: Device) -> GpuCost:
    """Memory, time and disk of the missing runs with the grid's resources."""
    resources = grid.resources
    runs = {run.model: run for run in missing} | {run.model: run for run in missing if run.max_steps}  # one of a model
    hours = {run: gpu_hours(run, resources, device) for run in missing}
    total = sum(hours.values())
    hours_of_blocks = {name: sum(hours.pop(r, 0.0) for r in block.runs) for name, block in grid.blocks.items()}
    weights = {model: parameters(architecture(model)) for model in runs}
    checkpoint = max((12 * weights[run.model] for run in missing if run.max_steps), default=0)  # with Adam's moments
    return GpuCost(
        gpus=max(1, resources.gpus),
        memory={model: memory(run, resources, device) for model, run in runs.items()},
        hours=total,
        hours_of_blocks=hours_of_blocks,
        weights=2 * sum(weights.values()),
        checkpoints=checkpoint * resources.trl.get("save_total_limit", 2) * (resources.save_steps > 0),
    )


def memory(run: Run, resources: Resources, device: Device) -> dict[str, float]:
    """GiB of each GPU in training, by part. FSDP and ZeRO-3 spread weights, gradients and optimizer over the GPUs."""
    config, gpus = architecture(run.model), max(1, resources.gpus)
    weights = parameters(config)
    kind = Path(resources.accelerate).stem
    whole = gpus if kind.startswith(("fsdp", "zero3")) else 1  # over how many GPUs the weights are spread
    rest = gpus if kind.startswith(("fsdp", "zero")) else 1  # and the gradients and the optimizer
    trained = weights if not run.lora_rank else lora_parameters(config, run.lora_rank)
    micro, _ = batches(run.generation_batch_size, run.steps_per_generation, resources)
    length = PROMPT + run.max_completion_length
    layers = config["num_hidden_layers"]
    checkpointed = resources.trl.get("gradient_checkpointing")
    kept = layers if checkpointed else 17 * layers  # tensors of hidden size, for the backward pass
    parts = {
        "weights": 4 * weights / whole,  # float32, as autocast needs
        "gradients": 4 * trained / rest,
        "optimizer": 8 * trained / rest,  # Adam: two moments
        "logits": micro * run.max_completion_length * config["vocab_size"] * (2 + 4 + 4),  # bf16, float32, gradient
        "activations": micro * length * config["hidden_size"] * 2 * (kept + 34),
    }
    if run.beta:
        parts["reference"] = 4 * weights / whole
    if run.rollouts == "vllm" and resources.trl.get("vllm_mode", "server") == "colocate":
        reserved = resources.trl.get("vllm_gpu_memory_utilization", 0.3) * device.memory * GIB  # trl's default
        parts["vLLM's weights"] = 2 * weights / resources.trl.get("vllm_tensor_parallel_size", 1)
        parts["KV cache"] = reserved - parts["vLLM's weights"]  # what is left of vLLM's part; below 0, it cannot start
    elif run.rollouts == "transformers":
        local = run.generation_batch_size // resources.processes
        parts["KV cache"] = local * length * cache_bytes(config)
    return {name: size / GIB for name, size in parts.items()}


def gpu_hours(run: Run, resources: Resources, device: Device) -> float:
    """Hours of one run times its GPUs: rollouts, updates and evaluation, at the assumed efficiencies."""
    config, gpus = architecture(run.model), max(1, resources.gpus)
    weights, mean = parameters(config), run.max_completion_length / SHARE
    attention = 2 * config["num_hidden_layers"] * config["hidden_size"] * (PROMPT + mean)  # operations for each token
    forward = 2 * weights + attention
    one_token = _decoding(config, weights, mean, device)
    seconds = evaluated(run) * run.num_samples * mean * one_token * gpus  # by one of them; the others wait
    if run.max_steps:
        sampled = run.max_steps // run.steps_per_generation * run.generation_batch_size * mean  # tokens
        passes = 3 + bool(resources.trl.get("gradient_checkpointing"))  # forward, backward counts twice, recomputation
        passes += (run.steps_per_generation > 1) + bool(run.beta)  # old log-probabilities, those of the reference
        seconds += sampled * one_token
        seconds += sampled * (1 + PROMPT / mean) * passes * forward / (device.operations * TRAINING)
    return seconds / 3600


def _decoding(config: dict, weights: int, mean: float, device: Device) -> float:
    """Seconds of one GPU for one token, with as many sequences at a time as 0.4 of its memory holds, 256 at most."""
    one = cache_bytes(config) * (PROMPT + mean)
    room = max(0.4 * device.memory * GIB - 2 * weights, one)
    batch = max(1, min(256, room // one))
    step = (2 * weights + batch * one / 2) / (device.bandwidth * DECODING)  # weights and, on average, half the cache
    return max(step / batch, 2 * weights / (device.operations * DECODING))
