"""GPU memory and GPU hours of a run, from counts of operations and bytes and two assumed efficiencies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtalign.config.resources import Resources, batches
from mtalign.config.run import Run
from mtalign.models.size import architecture, cache_bytes, lora_parameters, parameters
from mtalign.study.calibration import evaluated

GIB = 2**30


PROMPT = 256  # tokens, assumed for prompts that are not at hand
SHARE = 8  # a mean completion is assumed to have the longest one's tokens divided by this
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
    kept = (
        layers if resources.trl.get("gradient_checkpointing") else 17 * layers
    )  # tensors of hidden size, kept for later
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
    seconds = (
        evaluated(run) * run.num_samples * mean * _decoding(config, weights, mean, device) * gpus
    )  # by one of them; the others wait
    if run.max_steps:
        sampled = run.max_steps // run.steps_per_generation * run.generation_batch_size * mean  # tokens
        passes = 3 + bool(resources.trl.get("gradient_checkpointing"))  # forward, backward counts twice, recomputation
        passes += (run.steps_per_generation > 1) + bool(run.beta)  # old log-probabilities, those of the reference
        seconds += sampled * _decoding(config, weights, mean, device)
        seconds += sampled * (1 + PROMPT / mean) * passes * forward / (device.operations * TRAINING)
    return seconds / 3600


def _decoding(config: dict, weights: int, mean: float, device: Device) -> float:
    """Seconds of one GPU for one token, with as many sequences at a time as 0.4 of its memory holds, 256 at most."""
    one = cache_bytes(config) * (PROMPT + mean)
    room = max(0.4 * device.memory * GIB - 2 * weights, one)
    batch = max(1, min(256, room // one))
    step = (2 * weights + batch * one / 2) / (device.bandwidth * DECODING)  # weights and, on average, half the cache
    return max(step / batch, 2 * weights / (device.operations * DECODING))
