"""Seconds of a GRPO update of a micro model by part, against the floor: FLOPs of what has to be computed once beginnings are
shared, at the best rate of a product on one thread, by MKL or oneDNN. As in the quick grid (`fast`), in arithmetic that
equals trl's and transformers' to the last bit (`exact`), and theirs (`stock`).
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, replace
from unittest.mock import patch

from mtalign.config.run import Run

RUN = Run("micro-a", "ordering", "standard", max_steps=40, learning_rate=3.0e-4, fast=True)
PARTS = ("generation", "log-probabilities", "backward", "optimizer", "rest")


def rate(size: int = 1024, times: int = 20) -> float:
    """FLOP/s of a float32 matrix product on one thread: the best of several, by whichever library is faster."""
    import torch

    from mtalign.speed.cpu import available, product

    a, seconds = torch.randn(size, size), []
    for multiply in (torch.matmul, product) if available() else (torch.matmul,):
        for _ in range(times):
            began = time.perf_counter()
            multiply(a, a)
            seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)


@contextmanager
def timed(owner, name: str, key: str, spent: Counter):
    """Adds the seconds of each call of `owner.name` to `spent[key]`."""
    function = getattr(owner, name)

    def timing(*args, **kwargs):
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[key] += time.perf_counter() - began

    with patch.object(owner, name, timing):
        yield


def train(run: Run):
    """Trains as `runner.execute` does, with the rows of the whole data set."""
    from mtalign.models.load import load_model
    from mtalign.tasks.registry import load_task
    from mtalign.training.dataset import training_rows
    from mtalign.training.train import train

    model, tokenizer = load_model(run.model, exact=not run.fast)
    rows = training_rows(run, load_task(run.task), {}, None)
    began = time.perf_counter()
    train(run, model, tokenizer, rows)
    return time.perf_counter() - began


def stock(run: Run) -> float:
    """Trains as a stock trl script does."""
    from mtalign.tasks.registry import load_task
    from tests.benchmarks import stock

    model, tokenizer = stock.load(run.model)
    began = time.perf_counter()
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        stock.train(model, tokenizer, load_task(run.task), asdict(run) | {"rows": []})
    return time.perf_counter() - began


def split(run: Run, train=train) -> Counter:
    """Seconds per update, by part; `all` is their sum."""
    import torch
    from accelerate import Accelerator
    from transformers import GenerationMixin
    from trl import GRPOTrainer

    from mtalign.training.trainer import ArmTrainer

    trainer = GRPOTrainer if train is stock else ArmTrainer
    spent: Counter = Counter()
    with ExitStack() as stack:
        for owner, name, key in (
            (GenerationMixin, "generate", "generation"),
            (trainer, "_get_per_token_logps_and_entropies", "log-probabilities"),
            (Accelerator, "backward", "backward"),
            (torch.optim.AdamW, "step", "optimizer"),
        ):
            stack.enter_context(timed(owner, name, key, spent))
        few, many = replace(run, max_steps=2), run
        started = train(few)  # what is spent once for a run, and its first updates
        before = Counter(spent)
        whole = train(many)
    updates = many.max_steps - few.max_steps
    parts = Counter({key: (spent[key] - 2 * before[key]) / updates for key in PARTS[:-1]})
    parts["all"] = (whole - started) / updates
    parts["rest"] = parts["all"] - sum(parts[key] for key in PARTS[:-1])
    return parts


def flops(run: Run, train=train) -> float:
    """FLOPs of the mean update of a run: of matrix products, oneDNN's included, as torch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def linear(x, weight, *_, out_shape=None, **__):  # shapes: (..., inputs), (outputs, inputs)
        return 2 * math.prod(x) * weight[0]

    def attention(query, key, value, *_, out_shape=None, **__):  # (B, heads, T, D): twice, and its gradient five times
        return 4 * math.prod(query) * key[2]

    def of_gradient(_, query, key, *__, out_shape=None, **___):
        return 10 * math.prod(query) * key[2]

    own = {torch.ops.mkldnn._linear_pointwise: linear}
    own[torch.ops.aten._scaled_dot_product_flash_attention_for_cpu] = attention
    own[torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward] = of_gradient
    counted = []
    for steps in (2, run.max_steps):
        with FlopCounterMode(display=False, custom_mapping=own) as counter:
            train(replace(run, max_steps=steps))
        counted.append(counter.get_total_flops())
    return (counted[1] - counted[0]) / (run.max_steps - 2)


def measure(repeats: int = 3) -> dict:
    """The medians of `repeats`, the floor, and their ratio."""
    import torch

    torch.set_num_threads(1)
    count, per_second = {"shared": flops(RUN), "stock": flops(RUN, stock)}, rate()
    ways = {"fast": (RUN, train), "exact": (replace(RUN, fast=False), train), "stock": (RUN, stock)}
    found = {way: [] for way in ways}
    for _ in range(repeats):
        for way, how in ways.items():
            found[way].append(split(*how))
    seconds = {
        way: {key: statistics.median(each[key] for each in these) for key in (*PARTS, "all")}
        for way, these in found.items()
    }
    floor = count["shared"] / per_second
    return {
        "seconds_per_update": seconds,
        "gflop_per_update": {kind: each / 1e9 for kind, each in count.items()},
        "gflop_per_second": per_second / 1e9,
        "floor_seconds": floor,
        "ratio_to_floor": {way: each["all"] / floor for way, each in seconds.items()},
    }
