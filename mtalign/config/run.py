"""Runs: what is to be computed, as frozen values that say at once what is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing
from dataclasses import dataclass
from pathlib import Path

from mtalign.config import plugins
from mtalign.config.arms import Loss, Objective, Rank, Refill, Reward, Rollouts, Schedule, Style, Subset
from mtalign.config.errors import ConfigError
from mtalign.config.warm_up import KEPT_FOR_RUNS, is_warm_up, parse

RECIPE = 1  # raised when the code changes what a run computes, so that older records are not found again


LATER = {  # fields that records hold only where they are not the default: older records keep their checksum
    "lr_scheduler_type", "warmup_steps", "weight_decay", "adam_beta2", "delta", "loss_type", "bf16", "lora_rank", "rollouts",
    "style", "fast",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One row of the study: a model, a task, an arm and a seed, with the whole budget.

    Optimiser names are trl's. `max_steps` counts updates; `generation_batch_size` counts completions per rollout;
    `steps_per_generation` is the number of updates per rollout (above 1, so that clipping is active).
    """

    model: str
    task: str
    arm: str = "standard"
    seed: int = 0
    reward: Reward = "ground_truth"
    subset: Subset = "full"
    objective: Objective = "grpo"
    k: int = 1  # prompts of a k_shot subset
    rank: Rank = "best"  # which end of the ranking by historical variance
    random_probability: float = 0.5
    entropy_coef: float = 0.0  # weight of the entropy bonus; below 0, entropy is minimised
    refill: Refill = "none"  # what replaces groups without spread
    max_steps: int = 100
    learning_rate: float = 3e-4
    train_prompts: int = 256
    generation_batch_size: int = 256
    num_generations: int = 16
    steps_per_generation: int = 2
    temperature: float = 1.0
    epsilon: float = 0.2
    epsilon_high: float = 0.28
    beta: float = 0.0
    max_grad_norm: float = 1.0
    max_completion_length: int = 20
    style: Style = "think"  # of prompts for pretrained models: see `prompts.render`
    eval_prompts: int = 100
    num_samples: int = 64
    lr_scheduler_type: Schedule = "constant"
    warmup_steps: int = 0  # updates
    weight_decay: float = 0.0
    adam_beta2: float = 0.999
    delta: float = 0.0  # dual clip: the largest ratio where the advantage is negative; 0: none
    loss_type: Loss = "dapo"
    bf16: bool = False  # bfloat16 autocast in training and sampling
    lora_rank: int = 0  # 0: all weights are trained
    rollouts: Rollouts = "transformers"  # what samples in training
    fast: bool = False  # up to rounding the same: updates over prefix trees, layers of any width by oneDNN

    @property
    def run_id(self) -> str:
        """A stable name: readable, and different whenever a field or the recipe is.

        Only fields that differ from their default count, so that a new field leaves older names as they are; a record
        keeps all fields and is checked against them when read.

        >>> Run("micro-a", "logic").run_id.startswith("micro-a.logic.standard.s0.")
        True
        """
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        content = json.dumps({**own, "recipe": RECIPE}, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:10]
        return f"{file_name(self.model)}.{file_name(self.task)}.{self.arm}.s{self.seed}.{digest}"

    @property
    def base(self) -> Run:
        """The run that evaluates the untrained model: shared by all arms and seeds of this model, task and evaluation."""
        names = (
            "model",
            "task",
            "temperature",
            "train_prompts",
            "max_completion_length",
            "style",
            "eval_prompts",
            "num_samples",
            "bf16",
        )
        return Run(**{n: getattr(self, n) for n in names}, arm="base", max_steps=0)

    @property
    def needs(self) -> list[Run]:
        """The runs whose records this one reads: the base, and the history of standard RL for a subset chosen by it."""
        if self.max_steps == 0:
            return []
        if self.subset == "full":
            return [self.base]
        return [self.base, self.standard]

    @property
    def standard(self) -> Run:
        """Standard RL with this run's seed and budget: its history ranks the prompts of a subset."""
        return dataclasses.replace(
            self, arm="standard", reward="ground_truth", subset="full", objective="grpo", k=1, rank="best",
            random_probability=0.5, entropy_coef=max(0.0, self.entropy_coef), refill="none",
        )  # fmt: skip


def file_name(name: str) -> str:
    """The name of a model or task as it stands in names of files: of a folder the last part, no odd characters.

    >>> file_name("dose-0.40"), file_name("/home/me/my model#1"), file_name("own.tasks:even")
    ('dose-0.40', 'my-model-1', 'own.tasks-even')
    >>> file_name("org/name@1a2b"), file_name("rg:leg_counting?size=60")
    ('name-1a2b', 'rg-leg_counting-size-60')
    >>> file_name("warm:smollm2-135m-instruct?dose=0.25&documents=64&seed=1&task=rg:leg_counting?size=600")
    'smollm2-135m-instruct-dose-0.25-of-64-s1'
    """
    if is_warm_up(name):
        name = parse(name).short
    return re.sub(r"[^\w.-]", "-", Path(name).name)


def make_run(where: str, values: dict) -> Run:
    """A checked `Run` from a dict; `where` names the file and key for errors.

    >>> make_run("grid.yaml", {"model": "m", "task": "t", "learning_rate": "1e-3"})
    Traceback (most recent call last):
    mtalign.config.errors.ConfigError: grid.yaml: learning_rate: expected a number, got '1e-3' (YAML needs 1.0e-3)
    """
    types = typing.get_type_hints(Run)
    for key, value in values.items():
        if key not in types:
            raise ConfigError(f"{where}: {key}: unknown key; known: {', '.join(types)}")
        if message := mismatch(value, types[key]):
            raise ConfigError(f"{where}: {key}: {message}")
    if plugins.is_plugin(reward := values.get("reward")):
        try:
            plugins.find(reward)
        except KeyError as error:
            raise ConfigError(f"{where}: reward: {error.args[0]}") from None
    values = {k: float(v) if types[k] is float else v for k, v in values.items()}
    run = Run(**values)
    if message := _contradiction(run):
        raise ConfigError(f"{where}: {message}")
    return run


def mismatch(value, kind) -> str | None:
    """What is wrong with a value of a parameter of that type; None where nothing is."""
    if typing.get_origin(kind) is typing.Literal:
        known = typing.get_args(kind)
        if kind == Reward and plugins.is_plugin(value):
            return None
        return None if value in known else f"unknown value {value!r}; known: {', '.join(known)}"
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return None
    if type(value) is kind:
        return None
    name = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}[kind]
    hint = " (YAML needs 1.0e-3)" if kind is float and isinstance(value, str) and "e" in value.lower() else ""
    return f"expected {name}, got {value!r}{hint}"


def _contradiction(run: Run) -> str | None:
    """What makes the run impossible, naming the key; None where it is possible."""
    batch, group, updates = run.generation_batch_size, run.num_generations, run.steps_per_generation
    if not 0 <= run.learning_rate < float("inf"):  # 0 is a control: nothing is learned
        return f"learning_rate: expected 0 or more, got {run.learning_rate}"
    for key in ("temperature", "max_grad_norm"):
        if not 0 < getattr(run, key) < float("inf"):
            return f"{key}: expected a positive number, got {getattr(run, key)}"
    positive = ("k", "train_prompts", "generation_batch_size", "steps_per_generation", "max_completion_length")
    for key in (*positive, "eval_prompts", "num_samples"):
        if getattr(run, key) < 1:
            return f"{key}: expected 1 or more, got {getattr(run, key)}"
    for key in ("warmup_steps", "weight_decay", "delta", "lora_rank"):
        if not 0 <= getattr(run, key) < float("inf"):
            return f"{key}: expected 0 or more, got {getattr(run, key)}"
    if not 0 < run.adam_beta2 < 1:
        return f"adam_beta2: expected a number between 0 and 1, got {run.adam_beta2}"
    if run.warmup_steps and run.lr_scheduler_type == "constant":
        return (
            f"warmup_steps: {run.warmup_steps} has no effect with lr_scheduler_type constant; use constant_with_warmup"
        )
    if run.max_steps < 0 or run.seed < 0:
        return f"max_steps, seed: expected 0 or more, got {run.max_steps}, {run.seed}"
    if group < 2:
        return f"num_generations: a group needs at least 2 completions, got {group}"
    if batch % group:
        nearest = max(group, round(batch / group) * group)
        return f"num_generations: {group} does not divide generation_batch_size {batch}; the nearest is {nearest}"
    if batch % updates:
        nearest = max(updates, round(batch / updates) * updates)
        return (
            f"steps_per_generation: {updates} does not divide generation_batch_size {batch}; the nearest is {nearest}"
        )
    if run.subset == "full" and run.train_prompts < batch // group:
        return f"train_prompts: {run.train_prompts} rows are fewer than one rollout's {batch // group} prompts; trl would train 0 steps (one_shot replicates its row)"  # fmt: skip
    if run.subset != "full" and run.k > run.train_prompts:
        return f"k: {run.k} is more than train_prompts {run.train_prompts}"
    if run.subset == "one_shot" and run.k != 1:
        return f"k: one_shot has k = 1, got {run.k}; use k_shot"
    if not 0 <= run.random_probability <= 1:
        return f"random_probability: expected 0 to 1, got {run.random_probability}"
    if is_warm_up(run.model) and parse(run.model).task == run.task and run.train_prompts > KEPT_FOR_RUNS:
        return f"train_prompts: {run.train_prompts} would take in questions of the warm-up, which has those after the first {KEPT_FOR_RUNS}"
    if run.fast and run.lora_rank:
        return f"fast: works without LoRA, got lora_rank {run.lora_rank}"
    if run.reward.startswith("entropy") and run.objective != "grpo":
        return f"objective: {run.objective} needs rewards of 0 and 1, and {run.reward} gives neither; use grpo"
    return None
