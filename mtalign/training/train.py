"""Training: a `Run` -> a trained model, through trl's GRPOTrainer (see `trainer`).

Over several processes, rewards that depend on the whole group see the whole group wherever its completions are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig

from mtalign.config import plugins
from mtalign.config.arms import REWARDS
from mtalign.config.resources import Resources, batches
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up
from mtalign.models.dialled import is_dialled
from mtalign.rewards import NEEDS_GROUP, over_processes
from mtalign.speed.prefix_tree import KNOWN
from mtalign.training.callback import Diverged, Watch
from mtalign.training.trainer import ArmTrainer


def grpo_config(run: Run, folder: str, resources: Resources | None = None, gpu: bool = False) -> GRPOConfig:
    """The run's budget in trl's terms: what it computes from the run, how it is spread from the resources.

    On a CPU weights stay in float32 also where the run says bf16, which is hundreds of times slower there.
    """
    resources = resources or Resources()
    micro, accumulated = batches(run.generation_batch_size, run.steps_per_generation, resources)
    how = {"gradient_checkpointing": False, "report_to": "none", "save_total_limit": 2}
    how |= {"run_name": run.run_id, "project": "mtalign"}  # for Weights & Biases and trackio
    return GRPOConfig(
        output_dir=folder,
        max_steps=run.max_steps,
        learning_rate=run.learning_rate,
        lr_scheduler_type=run.lr_scheduler_type,
        warmup_steps=run.warmup_steps,
        weight_decay=run.weight_decay,
        adam_beta2=run.adam_beta2,
        max_grad_norm=run.max_grad_norm,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulated,
        generation_batch_size=run.generation_batch_size,
        num_generations=run.num_generations,
        max_completion_length=run.max_completion_length,
        temperature=run.temperature,
        epsilon=run.epsilon,
        epsilon_high=run.epsilon_high,
        delta=run.delta or None,
        beta=run.beta,
        use_bias_correction_kl=False,  # plain k3, as the recipes that have a KL term
        entropy_coef=run.entropy_coef,
        loss_type=run.loss_type,
        scale_rewards="group",
        mask_truncated_completions=False,
        seed=run.seed,
        use_cpu=not gpu,
        bf16=run.bf16 and gpu,
        use_vllm=run.rollouts == "vllm",
        logging_steps=1,
        save_strategy="steps" if resources.save_steps else "no",
        save_steps=resources.save_steps or 500,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **how | resources.trl,
    )


def train(
    run: Run, model, tokenizer, rows: list[dict], progress=None, resources: Resources | None = None,
    checkpoints: Path | None = None, save_to: Path | None = None,
) -> dict:  # fmt: skip
    """Trains `model` in place on the rows.

    Args:
        run: the budget, the reward and the objective.
        rows: dicts with `prompt`, `answer`, `kind`, `row` (index of the prompt), `seed`, and what the reward needs.
        progress: called with (updates done, updates in all).
        resources: how training is spread; one process by default.
        checkpoints: folder of the run's checkpoints; the last one there is gone on from.
        save_to: folder where the trained model, or its LoRA adapter, is written in one piece.

    Returns:
        `curve` (`step` and the columns of `callback.CURVE`: a value for each rollout) and `history` (row -> accuracies);
        for a model after a warm-up, or a micro model built on demand, `displacement` too, how far training moved its weights.

    Raises:
        Diverged: a loss, gradient or weight is not finite.
    """
    if run.fast and model.config.model_type not in KNOWN:
        raise ValueError(f"fast: works with models of type {' and '.join(KNOWN)}, not {model.config.model_type}")
    start = [p.detach().clone() for p in model.parameters()] if is_warm_up(run.model) or is_dialled(run.model) else []
    watch = Watch(progress)
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkpoints or Path(temporary)
        trainer = ArmTrainer(
            model, _reward(run), grpo_config(run, str(folder), resources, torch.cuda.is_available()), Dataset.from_list(rows),
            processing_class=tokenizer, callbacks=[watch], objective=run.objective, refill=run.refill,
            prefix_tree=run.fast, peft_config=lora(run),
        )  # fmt: skip
        trainer.history = watch.history
        trainer.remove_callback(PrinterCallback)
        if trainer.accelerator.device.type == "cpu":  # else every text of every row is looked through for tensors
            trainer.accelerator.device_placement = False
        if last := _last_checkpoint(folder, run):
            trainer.epochs = watch.resume(last)
        try:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        finally:
            _end_report(resources)
        if save_to:
            trainer.save_model(str(save_to))
    if not _is_finite(model):
        raise Diverged(f"a weight is not finite after {run.max_steps} updates")
    model.eval()
    curve = {name: [point[name] for point in watch.curve] for name in (watch.curve[0] if watch.curve else {})}
    found = {"curve": curve, "history": {str(row): h for row, h in sorted(watch.history.items())}}
    return found | ({"displacement": displacement(start, model)} if start else {})


def displacement(start: list[torch.Tensor], model) -> dict[str, float]:
    """The Euclidean length of the change from the weights `start` (`moved`), and of these (`length`)."""
    pairs = [(before, after.detach()) for before, after in zip(start, model.parameters(), strict=True)]
    moved = sum(float((after - before).double().square().sum()) for before, after in pairs)
    length = sum(float(before.double().square().sum()) for before, _ in pairs)
    return {"moved": round(moved**0.5, 6), "length": round(length**0.5, 6)}


def _reward(run: Run) -> Callable[..., list]:
    """The run's reward function, with its settings, under the name that trl logs it by."""
    function = plugins.find(run.reward) if plugins.is_plugin(run.reward) else REWARDS[run.reward]
    options = {"probability": run.random_probability} if run.reward == "random" else {}

    def reward(**columns):
        return function(**columns, **options)

    if run.reward in NEEDS_GROUP:
        reward = over_processes(reward)
    reward.__name__ = run.reward
    return reward


def _last_checkpoint(folder: Path, run: Run) -> Path | None:
    """The last whole checkpoint in the folder to go on from; None where there is none."""
    whole = folder.glob(f"checkpoint-*/{Watch.KEPT}")  # written last, so absent where a checkpoint is cut off
    steps = {int(path.parent.name.split("-")[1]): path.parent for path in whole}
    # Not of the last update: gone on from there, transformers would do one more.
    unfinished = [step for step in steps if step < run.max_steps]
    return steps[max(unfinished)] if unfinished else None


def _is_finite(model) -> bool:
    """Whether all weights are finite numbers; of FSDP's shards, this process's own."""
    return all(torch.isfinite(p.to_local() if hasattr(p, "to_local") else p).all() for p in model.parameters())


def _end_report(resources: Resources | None) -> None:
    """Ends the run at Weights & Biases, which transformers leaves open: the worker's next run would be added to it."""
    if resources and "wandb" in resources.trl.get("report_to", ""):
        import wandb

        wandb.finish()


def lora(run: Run):
    """The run's LoRA configuration: all linear layers, alpha twice the rank; None where all weights are trained."""
    if not run.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(r=run.lora_rank, lora_alpha=2 * run.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM")
