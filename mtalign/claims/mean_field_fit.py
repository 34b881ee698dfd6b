"""The mean-field theory's numbers from records: a policy from an untrained model's samples, the rate from standard RL.

python -m mtalign.claims.mean_field_fit reports/study     # prints the rate that `mean_field.RATE` states
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mtalign.claims.mean_field import Policy, recovered, trained
from mtalign.config.grid import kept_grid, load_grid
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.records.tables import accuracies
from mtalign.tasks import micro

LEAST_GAIN = 0.10  # of standard RL, below which a majority vote has nothing to recover
HALF = 0.5  # share of completions that work, at which a learning curve is read; of a gain, at which a run takes off


def policy_of(base: dict) -> Policy | None:
    """The policy that the samples of an untrained micro model show; None where less than 1% of them work, or all but 1%,
    and of a task with several right answers, of which the theory knows nothing.

    Competence is what remains of accuracy once guesses are right as often as chance has it. The favourite is the most
    frequent answer over all prompts, less the part that working adds evenly; of a model whose wrong guesses agree by its
    recipe, the misconception of each prompt.

    Args:
        base: the record of the untrained model.
    """
    task, skill = micro.load(base["config"]["task"]), base["after"]["thinking"]
    n, number = len(task.answers), base["after"]["num_samples"]
    if not 0.01 <= skill <= 0.99 or task.kind != "exact":
        return None
    accuracy = float(np.mean(base["after"]["correct"])) / number
    competence = float(np.clip((accuracy - (1 - skill) / n) / skill, 0.01, 1.0))
    seen = list(zip(task.train, base["train"]["answers"], strict=False))
    samples = sum(sum(votes.values()) for _, votes in seen)
    name = base["config"]["model"]
    if own := dialled.is_dialled(name) and dialled.parse(name).agree > 0:
        share = sum(votes.get(micro.misconception(e, task.answers), 0) for e, votes in seen) / samples
        evenly = skill * (1 - competence) / (n - 1)
    else:
        pooled = Counter()
        for _, votes in seen:
            pooled.update({answer: count for answer, count in votes.items() if answer in task.answers})
        share, evenly = max(pooled.values()) / samples, skill / n
    favourite = float(np.clip((share - evenly) / (1 - skill), 1 / n if not own else 1e-3, 0.999))
    return Policy(skill, n, competence, favourite, shared=not own)


def rate(records: Iterable[tuple[dict, dict]]) -> float:
    """The constant of the theory: the median, over runs of standard RL, of predicted over observed updates until half work.

    Args:
        records: pairs of an untrained model's record and that of a run of standard RL from it.

    Raises:
        ValueError: no run's share of working completions passes one half from below.
    """
    found = []
    for base, record in records:
        config, curve, policy = record["config"], record["curve"], policy_of(base)
        passed = np.flatnonzero(np.array(curve["thinking"]) > HALF)
        if policy is None or policy.skill > 0.45 or not len(passed):
            continue
        updates = curve["step"][passed[0]]
        batch = config["generation_batch_size"] // config["steps_per_generation"]
        found.append(time_to_half(policy, config["num_generations"], batch) / (updates * config["learning_rate"]))
    if not found:
        raise ValueError("records: no run of standard RL passes one half")
    return float(np.median(found))


def time_to_half(policy: Policy, group: int, batch: int, labels: bool = True) -> float:
    """Rate times learning rate times updates until half of the completions work; inf where it takes more than 60."""
    step = 0.05
    for i in range(1200):
        if policy.skill > HALF:
            return i * step
        policy = trained(policy, group, batch, 1, 1.0, labels, rate=step, steps=1)
    return float("inf")


def standard_runs(folder: Path) -> Iterable[tuple[dict, dict]]:
    """Pairs (untrained, trained by standard RL) of the finished records of a study's output folder."""
    store = Records(folder / "records")
    for run in load_grid(kept_grid(folder)).runs:
        if run.max_steps and run == run.standard:
            record, base = store.read(run), store.read(run.base)
            if record and base and record["status"] == base["status"] == "finished":
                yield base, record


def _answers(task: str) -> Sequence[str]:
    return micro.MICRO[task][1] if task in micro.MICRO else ()


def told_right(folder: Path) -> tuple[int, int, int]:
    """What the theory says of the majority votes of a study, of which its constant knows nothing.

    Returns:
        Runs that it tells right (take-off or not), runs where standard RL gains at least 0.10 and a policy can be read, and
        how many of these take off: what "always" would tell right.
    """
    store, right, number, taken = Records(folder / "records"), 0, 0, 0  # tasks of more answers take minutes each
    runs = [run for run in load_grid(kept_grid(folder)).runs if 0 < len(_answers(run.task)) <= 100]
    votes = [run for run in runs if (run.reward, run.objective, run.subset) == ("majority_vote", "grpo", "full")]
    for base in dict.fromkeys(run.base for run in votes):
        of_base = [run for run in votes if run.base == base]
        standard = accuracies([store.read(run) for run in runs if run == run.standard and run.base == base]).mean()
        before, policy = accuracies([store.read(base)]).mean(), policy_of(store.read(base))
        if policy is None or standard - before < LEAST_GAIN:
            continue
        shares = (accuracies([store.read(run) for run in of_base]).mean(axis=1) - before) / (standard - before)
        budget = of_base[0].generation_batch_size // of_base[0].steps_per_generation, of_base[0].max_steps
        told = recovered(policy, of_base[0].num_generations, *budget, of_base[0].learning_rate) > HALF
        right += int((told == (shares > HALF)).sum())
        number, taken = number + len(shares), taken + int((shares > HALF).sum())
    return right, number, taken


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(f"rate {rate(pair for pair in standard_runs(folder) if pair[0]['config']['task'] in micro.MICRO):.0f}")
    print("told right {}, of {} runs, of which {} take off".format(*told_right(folder)))
