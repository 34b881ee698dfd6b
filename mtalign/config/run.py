"""Runs: what is to be computed, as frozen values that say at once what is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import typing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from mtalign.config import plugins, ranking
from mtalign.config.arms import Loss, Objective, Rank, Refill, Reward, Rollouts, Schedule, Style, Subset
from mtalign.config.errors import ConfigError, check_keys, mismatch
from mtalign.config.warm_up import KEPT_FOR_RUNS, is_warm_up, parse

RECIPE = 1  # raised when the code changes what a run computes, so that older records are not found again


EVALUATED = (  # fields on which the evaluation of an untrained model depends
    "model", "task", "temperature", "train_prompts", "max_completion_length", "style", "eval_prompts", "num_samples", "bf16", "shots",
    "cpu_bf16",
)  # fmt: skip
LATER = {  # fields that records hold only where they are not the default: older records keep their checksum
    "lr_scheduler_type", "warmup_steps", "weight_decay", "adam_beta2", "delta", "loss_type", "bf16", "lora_rank", "rollouts",
    "style", "fast", "shots", "ranking", "cpu_bf16",
}  # fmt: skip


SHOTS = 3
RANKED = ("one_shot", "k_shot")  # subsets chosen by the history of standard RL


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
    shots: int = SHOTS  # questions with answers before a question in the style `direct`
    ranking: str = "own"  # whose history ranks the prompts of a subset: see `config.ranking`
    fast: bool = False  # up to rounding the same: updates over prefix trees, layers of any width by oneDNN
    cpu_bf16: bool = False  # of a fast run: products in bfloat16 on a CPU that has them, see `speed.cpu.use_bfloat16`

    @property
    def settings(self) -> dict[str, object]:
        """Its fields by name, as `dataclasses.asdict` has them; that copies, and takes ten times as long."""
        return {name: getattr(self, name) for name in DEFAULTS}

    @cached_property
    def run_id(self) -> str:
        """A stable name: readable, and different whenever a field or the recipe is.

        Only fields that differ from their default count, so that a new field leaves older names as they are; a record
        keeps all fields and is checked against them when read.

        >>> Run("micro-a", "logic").run_id.startswith("micro-a.logic.standard.s0.")
        True
        """
        chosen = {name: value for name, value in self.settings.items() if value != DEFAULTS[name]}
        content = json.dumps({**chosen, "recipe": RECIPE}, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:10]
        return f"{file_name(self.model)}.{file_name(self.task)}.{self.arm}.s{self.seed}.{digest}"

    @cached_property
    def base(self) -> Run:
        """The run that evaluates the untrained model: shared by all arms and seeds of this model, task and evaluation."""
        return Run(**{name: getattr(self, name) for name in EVALUATED}, arm="base", max_steps=0)

    @property
    def untrained(self) -> Run:
        """The run that evaluates the untrained model in a way of this run's own, say at another temperature.

        >>> run = Run("m", "t", "temperature_0.3", seed=4, max_steps=0, temperature=0.3).untrained
        >>> run.arm, run.seed, run.temperature, run.run_id != run.base.run_id
        ('temperature_0.3', 0, 0.3, True)
        """
        return dataclasses.replace(self.base, arm=self.arm, train_prompts=1)  # what it is trained on is of no use

    @cached_property
    def needs(self) -> list[Run]:
        """The runs whose records this one reads: the base, and the history of standard RL for a subset chosen by it."""
        if self.max_steps == 0:
            return []
        return [self.base, self.standard] if self.subset in RANKED else [self.base]

    @cached_property
    def standard(self) -> Run:
        """Standard RL with this run's seed and budget, or that of its `ranking`: its history ranks the prompts of a subset."""
        own = dataclasses.replace(
            self, arm="standard", reward="ground_truth", subset="full", objective="grpo", k=1, rank="best",
            random_probability=0.5, entropy_coef=max(0.0, self.entropy_coef), refill="none", ranking=ranking.OWN,
        )  # fmt: skip
        return dataclasses.replace(own, **ranking.settings(self.ranking))


DEFAULTS = {field.name: field.default for field in dataclasses.fields(Run)}


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
    types = _types()
    check_keys(where, values, types)
    for key, value in values.items():
        if key == "reward" and plugins.is_plugin(value):
            try:
                plugins.find(value)
            except KeyError as error:
                raise ConfigError(f"{where}: reward: {error.args[0]}") from None
        elif message := mismatch(value, types[key]) or out_of_bounds(key, value):
            raise ConfigError(f"{where}: {key}: {message}")
    run = Run(**{key: float(value) if types[key] is float else value for key, value in values.items()})
    try:
        run.standard  # noqa: B018 (a ranking is read as it is asked for)
    except ValueError as error:
        raise ConfigError(f"{where}: ranking: {error}") from None
    if message := _contradiction(run):
        raise ConfigError(f"{where}: {message}")
    return run


def with_seed(where: str, run: Run, seed: int) -> Run:
    """A checked run with another seed: of a thousand seeds only the seed has to be checked again."""
    if message := mismatch(seed, int) or out_of_bounds("seed", seed):
        raise ConfigError(f"{where}: seed: {message}")
    return dataclasses.replace(run, seed=seed)


@lru_cache
def _types() -> dict[str, object]:
    """The types of a run's fields: made once, since a grid has thousands of runs."""
    return typing.get_type_hints(Run)


class Bound(typing.NamedTuple):
    """What a number can be."""

    least: float
    most: float
    open: bool = False  # whether the ends themselves are excluded
    wanted: str = ""  # said where a value is out of bounds, in place of the ends


LARGEST = sys.float_info.max  # so that infinity is out of bounds, as NaN is
MOST = 10**9  # of anything that is counted: beyond that a slip of the finger is likelier than a study
BOUNDS = {  # every field of `Run` that is a number
    "seed": Bound(0, 2**32 - 1),  # what numpy takes as a seed
    "k": Bound(1, MOST),
    "random_probability": Bound(0, 1),
    "entropy_coef": Bound(-LARGEST, LARGEST, open=True),
    "max_steps": Bound(0, MOST),
    "learning_rate": Bound(0, LARGEST),  # 0 is a control: nothing is learned
    "train_prompts": Bound(1, MOST),
    "generation_batch_size": Bound(1, MOST),
    "num_generations": Bound(2, MOST, wanted="a group needs at least 2 completions"),
    "steps_per_generation": Bound(1, MOST),
    "temperature": Bound(0, LARGEST, open=True),
    "epsilon": Bound(0, LARGEST),
    "epsilon_high": Bound(0, LARGEST),
    "beta": Bound(0, LARGEST),
    "max_grad_norm": Bound(0, LARGEST, open=True),
    "max_completion_length": Bound(1, MOST),
    "eval_prompts": Bound(1, MOST),
    "num_samples": Bound(1, 10**6),
    "warmup_steps": Bound(0, MOST),
    "weight_decay": Bound(0, LARGEST),
    "adam_beta2": Bound(0, 1, open=True),
    "delta": Bound(0, LARGEST),
    "lora_rank": Bound(0, MOST),
    "shots": Bound(0, 64),
}


def out_of_bounds(key: str, value) -> str | None:
    """What is wrong with the size of a field's value, infinity and NaN included; None where nothing is.

    >>> out_of_bounds("temperature", float("nan")), out_of_bounds("k", 0), out_of_bounds("seed", 0)
    ('expected a positive number, got nan', 'expected 1 to 1000000000, got 0', None)
    """
    if key not in BOUNDS:
        return None
    least, most, open_, wanted = BOUNDS[key]
    if (least < value < most) if open_ else (least <= value <= most):
        return None
    if wanted:
        return f"{wanted}, got {value!r:.40}"
    if least == -LARGEST:
        wanted = "a finite number"
    elif most == LARGEST:
        wanted = "a positive number" if open_ else f"{least} or more"
    else:
        wanted = f"a number between {least} and {most}" if open_ else f"{least} to {most}"
    return f"expected {wanted}, got {value!r:.40}"


def _contradiction(run: Run) -> str | None:
    """Which fields, each possible by itself, make the run impossible together; None where it is possible."""
    batch, group, updates = run.generation_batch_size, run.num_generations, run.steps_per_generation
    if run.warmup_steps and run.lr_scheduler_type == "constant":
        return (
            f"warmup_steps: {run.warmup_steps} has no effect with lr_scheduler_type constant; use constant_with_warmup"
        )
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
    if run.style != "direct" and run.shots != SHOTS:
        return f"shots: {run.shots} has no effect in the style {run.style}; use direct"
    if run.subset in RANKED and run.k > run.train_prompts:
        return f"k: {run.k} is more than train_prompts {run.train_prompts}"
    if run.subset == "one_shot" and run.k != 1:
        return f"k: one_shot has k = 1, got {run.k}; use k_shot"
    if is_warm_up(run.model) and parse(run.model).task == run.task and run.train_prompts > KEPT_FOR_RUNS:
        return f"train_prompts: {run.train_prompts} would take in questions of the warm-up, which has those after the first {KEPT_FOR_RUNS}"
    if run.cpu_bf16 and not run.fast and run.max_steps:
        return "cpu_bf16: works with fast: true alone"
    if run.fast and run.lora_rank:
        return f"fast: works without LoRA, got lora_rank {run.lora_rank}"
    if run.reward.startswith("entropy") and run.objective != "grpo":
        return f"objective: {run.objective} needs rewards of 0 and 1, and {run.reward} gives neither; use grpo"
    return None
