"""Tidy tables of what arms reached, with intervals, over the pairs of a grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims.untrained import UNTRAINED, untrained
from mtalign.claims.verdicts import BOOTSTRAP_SEED, alignment, generator, panel
from mtalign.config.arms import ARMS
from mtalign.config.run import Run
from mtalign.metrics import maj_at_k_counts, pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, curves, grouped, truths, votes
from mtalign.stats import bootstrap_ci
from mtalign.tasks.registry import load_task


def arm_accuracy(runs: list[Run], records: Records, by_panel: bool = False) -> pd.DataFrame:
    """Accuracy after training with its interval, for each arm and each (model, task), or each panel of alignment.

    What the untrained model gives without training (`untrained`) stands beside the arms. A panel's bar is over the
    prompts of all its pairs. Arms with a run that has not finished are left out.

    Returns:
        Columns panel (strong or weak alignment, or the pair), arm, value, low, high, seeds.
    """
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    order = list(dict.fromkeys(["base", *UNTRAINED, *ARMS, *(run.arm for run in runs)]))
    for (model, task), arms in grouped(runs, records).items():
        arms = complete_arms(arms)
        if "base" not in arms:
            continue
        name = f"{panel(alignment(arms['base'][0]).value)} alignment" if by_panel else f"{model}, {task}"
        reached = {arm: accuracies(these) for arm, these in arms.items()} | untrained(arms)
        for arm, accuracy in reached.items():
            found.setdefault((name, arm), []).append(accuracy)
    rows = []
    for (name, arm), arrays in found.items():
        accuracy = np.concatenate(arrays, axis=1)  # (S, P of all pairs)
        estimate = bootstrap_ci([accuracy], lambda mean: mean, BOOTSTRAP_SEED, bounds=(0, 1))
        rows.append({"panel": name, "arm": arm, "value": estimate.value, "low": estimate.low, "high": estimate.high})
        rows[-1]["seeds"] = accuracy.shape[0]
    rows.sort(key=lambda row: (row["panel"], order.index(row["arm"])))
    return pd.DataFrame(rows, columns=["panel", "arm", "value", "low", "high", "seeds"])


def alignment_curves(base: Iterable[dict]) -> pd.DataFrame:
    """pass@k and maj@k of the untrained models for k = 1, 2, 4 ... N, and what guessing every time reaches.

    Args:
        base: records of untrained models.

    Returns:
        Columns pair, k, metric (pass@k, maj@k or guessing), value.
    """
    rows = []
    for record in base:
        config, evaluation = record["config"], record["after"]
        task, number, rng = load_task(config["task"]), evaluation["num_samples"], generator()
        chance = np.array([task.chance_of(e) for e in task.eval[: len(evaluation["correct"])]])  # (P,)
        for k in (2**i for i in range(number.bit_length())):
            values = {
                "pass@k": pass_at_k_counts(evaluation["correct"], number, k).mean(),
                "maj@k": maj_at_k_counts(votes(evaluation), truths(record), k, rng).mean(),
                "guessing": float(np.mean(1 - (1 - chance) ** k)),
            }
            pair = f"{config['model']}, {config['task']}"
            rows += [{"pair": pair, "k": k, "metric": name, "value": value} for name, value in values.items()]
    return pd.DataFrame(rows)


def spread(runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """What training did to the mean and to the spread between seeds, for each trained arm and pair.

    Returns:
        Columns model, task, arm, seeds, change (of mean accuracy, an `Estimate`), sd (between seeds), skilled and
        unskilled (shares of seeds that ended with over 0.9 and under 0.1 of completions showing working), and
        clip_fraction (largest of each rollout, mean).
    """
    rows = []
    by_arm = {(*pair, arm): these for pair, arms in _pairs(runs, records).items() for arm, these in arms.items()}
    for (model, task, arm), found in by_arm.items():
        if arm == "base" or (model, task, "base") not in by_arm:
            continue
        after, before = accuracies(found), accuracies(by_arm[model, task, "base"])
        change = bootstrap_ci([after, before], lambda a, b: a - b, BOOTSTRAP_SEED)
        thinking = pd.Series([r["after"]["thinking"] for r in found])
        row = {"model": model, "task": task, "arm": arm, "seeds": len(found), "change": change}
        row |= {"sd": after.mean(axis=1).std(ddof=1) if len(found) > 1 else float("nan")}
        row |= {"skilled": (thinking > 0.9).mean(), "unskilled": (thinking < 0.1).mean()}
        row |= {"clip_fraction": curves(found)["clip_fraction"].mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def difference(runs: Iterable[Run], records: Records, arm: str, other: str) -> pd.DataFrame:
    """Accuracy of one arm minus that of another, seeds and prompts paired, for each pair.

    Returns:
        Columns model, task, alignment, arm, other, difference (an `Estimate`).
    """
    rows = []
    for (model, task), arms in _pairs(runs, records).items():
        if not {"base", arm, other} <= set(arms):
            continue
        both = [accuracies(arms[name]) for name in (arm, other)]
        estimate = bootstrap_ci(both, lambda a, b: a - b, BOOTSTRAP_SEED, bounds=(0, 1))
        level = alignment(arms["base"][0]).value
        rows.append((model, task, level, arm, other, estimate))
    return pd.DataFrame(rows, columns=["model", "task", "alignment", "arm", "other", "difference"])


def label_free(runs: Iterable[Run], records: Records, arm: str = "majority_vote") -> pd.DataFrame:
    """A label-free arm's accuracy after training beside what the untrained model's majority of a group knew.

    Returns:
        Columns model, task, before (accuracy), predicted (maj@G of the untrained model), after and difference, after
        minus predicted (`Estimate`s, seeds and prompts paired).
    """
    rows = []
    for (model, task), arms in _pairs(runs, records).items():
        if not {"base", arm} <= set(arms):
            continue
        base, group = arms["base"][0], arms[arm][0]["config"]["num_generations"]
        counts, right = votes(base["after"]), truths(base)
        known = maj_at_k_counts(counts, right, group, generator())[None]  # (1, P)
        after, row = accuracies(arms[arm]), {"model": model, "task": task}
        row |= {"before": accuracies([base]).mean(), "predicted": known.mean()}
        for name, values in {"after": [after], "difference": [after, known]}.items():
            row[name] = bootstrap_ci(values, lambda a, b=0: a - b, BOOTSTRAP_SEED, bounds=(0, 1))
        rows.append(row)
    return pd.DataFrame(rows, columns=["model", "task", "before", "predicted", "after", "difference"])


def _pairs(runs: Iterable[Run], records: Records) -> dict[tuple[str, str], dict[str, list[dict]]]:
    """(model, task) -> arm -> its records by seed, of the arms that are finished."""
    return {pair: complete_arms(arms) for pair, arms in grouped(runs, records).items()}
