"""Tokens and updates per second on an accelerator, beside stock trl: `python -m tests.benchmarks --gpu`."""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time

from mtalign.config.run import Run

RUN = Run(
    "smollm2-135m-instruct", "ordering", max_steps=12, learning_rate=1e-6, generation_batch_size=256, num_generations=16,
    train_prompts=64, max_completion_length=128, bf16=True,
)  # fmt: skip


def sampled(run: Run, prompts: int = 16, samples: int = 64) -> tuple[float, float]:
    """Tokens per second of `sample`, and of transformers' `generate` with all samples of all prompts at a time."""
    import torch

    from mtalign.generation.sampling import sample
    from mtalign.models.load import load_model
    from mtalign.tasks.registry import load_task

    model, tokenizer = load_model(run.model)
    texts = [example.prompt for example in load_task(run.task).train[:prompts]]
    length = run.max_completion_length

    def ours() -> int:
        drawn = sample(model, tokenizer, texts, samples, length, seed=0)
        return sum(len(ids) for each in drawn for ids in tokenizer(each)["input_ids"])

    @torch.inference_mode()
    def theirs() -> int:
        inputs = tokenizer(texts, return_tensors="pt", padding=True).to(model.device)
        out = model.generate(
            **inputs, do_sample=True, top_k=0, top_p=1.0, temperature=1.0, num_return_sequences=samples,
            max_new_tokens=length, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        )[:, inputs["input_ids"].shape[1] :]  # fmt: skip
        return int((out != tokenizer.pad_token_id).sum())

    rates = []
    for function in (ours, theirs):
        with torch.autocast(model.device.type, torch.bfloat16, enabled=run.bf16 and model.device.type == "cuda"):
            function()  # kernels are chosen at the first call
            began = time.perf_counter()
            tokens = function()
        rates.append(tokens / (time.perf_counter() - began))
    return rates[0], rates[1]


def updated(run: Run) -> tuple[float, float]:
    """Updates per second of `training.train`, and of trl's GRPOTrainer with the same settings; rollouts are counted in."""
    import torch
    from datasets import Dataset
    from trl import GRPOTrainer

    from mtalign.models.load import load_model
    from mtalign.tasks.registry import load_task
    from mtalign.training.dataset import training_rows
    from mtalign.training.train import _reward, grpo_config, train

    rows = training_rows(run, load_task(run.task), {}, None)

    def ours(run: Run) -> None:
        train(run, *load_model(run.model), rows)

    def theirs(run: Run) -> None:
        model, tokenizer = load_model(run.model)
        with tempfile.TemporaryDirectory() as folder:
            config = grpo_config(run, folder, gpu=torch.cuda.is_available())
            GRPOTrainer(
                model, _reward(run), config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
            ).train()

    rates = []
    for function in (ours, theirs):
        seconds = []
        for steps in (2, run.max_steps):  # what is spent once for a run is taken off
            began = time.perf_counter()
            function(dataclasses.replace(run, max_steps=steps))
            seconds.append(time.perf_counter() - began)
        rates.append((run.max_steps - 2) / (seconds[1] - seconds[0]))
    return rates[0], rates[1]


def measure(run: Run = RUN, repeats: int = 3, **sizes) -> dict:
    """Medians of `repeats`."""
    tokens, updates = zip(*((sampled(run, **sizes), updated(run)) for _ in range(repeats)), strict=True)
    rows = {"tokens_per_second": tokens, "updates_per_second": updates}
    return {
        name: dict(zip(("ours", "stock"), map(statistics.median, zip(*each, strict=True)), strict=True))
        for name, each in rows.items()
    }


def main(repeats: int) -> int:
    """Prints the table; exit status 1 where there is no accelerator."""
    import torch

    from tests.benchmarks.__main__ import table

    if not torch.cuda.is_available():
        print("not measured: torch sees no accelerator here", file=sys.stderr)
        return 1
    print(torch.cuda.get_device_name())
    print(table(measure(repeats=repeats)))
    return 0
