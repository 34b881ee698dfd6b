"""The baseline: runs as a stock trl script does them, one after the other. Same data, budget, seeds, evaluation.
The untrained model, which all runs share, is not evaluated again for each.

Run by `python -m tests.benchmarks grid`: for each run a line of JSON with the fields of a `Run`, and `rows` (the
training prompts of one-shot runs, which a script would have been given by hand) comes in, a line with accuracies and
seconds goes out.
"""

import json
import sys
import tempfile
import time
from contextlib import redirect_stdout

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from mtalign.config import paths
from mtalign.grading.answers import grade
from mtalign.rewards import REWARDS
from mtalign.tasks.registry import load_task

PROMPTS = 25  # evaluated at a time, with all their samples


def accuracy(model, tokenizer, task, run: dict, seed: int) -> float:
    """pass@1 from `num_samples` samples of each held-out prompt."""
    torch.manual_seed(seed)
    model.eval()
    right = total = 0
    examples = sorted(task.eval[: run["eval_prompts"]], key=lambda e: len(e.prompt))
    for start in range(0, len(examples), PROMPTS):
        batch = examples[start : start + PROMPTS]
        inputs = tokenizer([e.prompt for e in batch], return_tensors="pt", padding=True, padding_side="left")
        out = model.generate(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=True, temperature=1.0,
            top_k=0, top_p=1.0, num_return_sequences=run["num_samples"], max_new_tokens=run["max_completion_length"],
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        texts = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for i, text in enumerate(texts):
            right += grade(text, batch[i // run["num_samples"]].answer, task.kind)
        total += len(texts)
    return right / total


def load(name: str):
    """The model as transformers loads it, and its tokenizer."""
    folder = paths.CHECKPOINTS / name
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32"), tokenizer


def train(model, tokenizer, task, run: dict) -> None:
    """trl's own trainer with the run's budget, in place."""
    columns = {"kind": task.kind, "seed": run["seed"]}
    indices = run["rows"] or range(run["train_prompts"])
    rows = [{"prompt": task.train[i].prompt, "answer": task.train[i].answer, "row": i} | columns for i in indices]
    rows *= -(-run["generation_batch_size"] // run["num_generations"] // len(rows))
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder, max_steps=run["max_steps"], learning_rate=run["learning_rate"],
            lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=run["max_grad_norm"],
            per_device_train_batch_size=run["generation_batch_size"] // run["steps_per_generation"],
            generation_batch_size=run["generation_batch_size"], num_generations=run["num_generations"],
            max_completion_length=run["max_completion_length"], temperature=run["temperature"],
            epsilon=run["epsilon"], epsilon_high=run["epsilon_high"], beta=run["beta"], loss_type="dapo",
            scale_rewards="group", mask_truncated_completions=False, seed=run["seed"], use_cpu=True, bf16=False,
            gradient_checkpointing=False, logging_steps=1, save_strategy="no", report_to="none",
        )  # fmt: skip
        trainer = GRPOTrainer(
            model, REWARDS[run["reward"]], config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
        )
        trainer.train()


def main() -> None:
    for line in sys.stdin:
        began, run = time.monotonic(), json.loads(line)
        model, tokenizer = load(run["model"])
        task = load_task(run["task"])
        with redirect_stdout(sys.stderr):
            train(model, tokenizer, task, run)
        after = accuracy(model, tokenizer, task, run, seed=run["seed"])
        seconds = time.monotonic() - began
        print(json.dumps({"arm": run["arm"], "after": after, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
