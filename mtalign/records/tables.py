"""Tidy tables of records: metrics, learning curves, accuracies by seed and prompt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.config.run import Run
from mtalign.metrics import pass_at_k_counts
from mtalign.records.store import Records
from mtalign.tasks.options import plain
from mtalign.tasks.registry import load_task

NOT_RUN = {"status": "missing", "reason": "not run"}


def grouped(runs: Iterable[Run], records: Records) -> dict[tuple[str, str], dict[str, list[dict]]]:
    """(model, task) -> arm -> its records by seed; `NOT_RUN` stands for one that there is not."""
    groups: dict[tuple[str, str], dict[str, list[dict]]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        groups.setdefault((run.model, run.task), {}).setdefault(run.arm, []).append(records.read(run) or NOT_RUN)
    return groups


def complete_arms(arms: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The arms of which every run has finished."""
    return {arm: these for arm, these in arms.items() if all(r["status"] == "finished" for r in these)}


def votes(evaluation: dict) -> list[dict[str | None, int]]:
    """For each prompt: answer -> how many samples gave it; None for those without an answer.

    >>> votes({"answers": [{"": 1, "7": 3}]})
    [{None: 1, '7': 3}]
    """
    return [{answer or None: n for answer, n in row.items()} for row in evaluation["answers"]]


def truths(record: dict) -> list:
    """The true answer to each held-out prompt of a record, in its order; a set of them where graders decide (`right`)."""
    if "right" in record["after"]:
        return [set(right) for right in record["after"]["right"]]
    return [e.answer for e in load_task(record["config"]["task"]).eval[: len(record["after"]["correct"])]]


def named(record: dict) -> float | None:
    """The share of an untrained model's samples that name an option which stands in the question, right or wrong.

    None where the task's questions show no options, or the record keeps no answers.
    """
    evaluation = record["after"]
    examples = load_task(record["config"]["task"]).eval[: len(evaluation["correct"])]
    if "answers" not in evaluation or not all(e.options for e in examples):
        return None
    found = total = 0
    for example, counts in zip(examples, evaluation["answers"], strict=True):
        options = set(map(plain, example.options))
        total += sum(counts.values())
        found += sum(n for answer, n in counts.items() if plain(answer) in options)
    return found / total


def guess_rates(record: dict) -> np.ndarray:
    """The probability that one sample is right by guessing, for each held-out prompt of an untrained model's record (P,).

    It is the task's chance for that question, computed from the task and never read from the record. Where options
    stand in the question it is multiplied by the share of samples that name one (`named`): who names none does not guess,
    and a model that guesses among ten digits is not below chance because a reader would have guessed among four.
    """
    task = load_task(record["config"]["task"])
    examples = task.eval[: len(record["after"]["correct"])]
    share = named(record)
    return np.array([task.chance_of(e) for e in examples]) * (1.0 if share is None else share)


def metrics_of(record: dict, when: str = "after") -> dict[str, float]:
    """The metrics of a record's evaluation, `before` or `after` training, as means over its prompts.

    Returns:
        accuracy (pass@1), greedy, thinking, maj@N of all N samples, and pass@k for k = 4, 16, 64 up to N.
    """
    evaluation = record[when]
    number = evaluation["num_samples"]
    result = {
        "accuracy": float(np.mean(evaluation["correct"]) / number),
        "greedy": float(np.mean(evaluation["greedy"])),
        "thinking": evaluation["thinking"],
        f"maj@{number}": float(np.mean(evaluation["majority"])),
    }
    for k in (k for k in (4, 16, 64) if k <= number):
        result[f"pass@{k}"] = float(pass_at_k_counts(evaluation["correct"], number, k).mean())
    return result


def frame(records: Iterable[dict]) -> pd.DataFrame:
    """A tidy table, one row per record: the config, the status, and the metrics `<name>_before`, `<name>` (after)."""
    rows = []
    for record in records:
        row = {"run_id": record["run_id"], "status": record["status"], "reason": record.get("reason", "")}
        row |= record["config"] | {"seconds": record.get("seconds", float("nan"))}
        if record["status"] == "finished":
            row |= {f"{name}_before": value for name, value in metrics_of(record, "before").items()}
            row |= metrics_of(record, "after")
        rows.append(row)
    return pd.DataFrame(rows)


def curves(records: Iterable[dict]) -> pd.DataFrame:
    """A tidy table of learning curves, one row per rollout: model, task, arm, seed, step and `watch.CURVE`."""
    keys = ("model", "task", "arm", "seed")
    parts = [
        pd.DataFrame({key: record["config"][key] for key in keys} | record["curve"])
        for record in records
        if record.get("curve")
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def accuracies(records: Iterable[dict], when: str = "after") -> np.ndarray:
    """Accuracy in [0, 1] per seed and prompt, shape (S, P), in the order of the records."""
    return np.array([np.array(r[when]["correct"]) / r[when]["num_samples"] for r in records])
