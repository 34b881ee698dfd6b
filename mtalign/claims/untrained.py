"""What the untrained model gives without any training: greedy decoding, the majority of 16, sampling at a lower temperature.

RL sharpens: part of what it gains in *sampled* accuracy the untrained model gives at once when it is asked in another way.
So these ways stand beside the arms everywhere, with the share of standard RL's gain that each gives.

`greedy` and `maj@16` are computed from the record of the untrained model. Temperatures are arms of their own, evaluated
without training (`config.arms`), with records of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims.verdicts import BOOTSTRAP_SEED, generator
from mtalign.config.arms import ARMS
from mtalign.config.run import Run
from mtalign.metrics import maj_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped, truths, votes
from mtalign.stats import bootstrap_ci, recovered

VOTES = 16
FROM_BASE = ("greedy", f"maj@{VOTES}")
UNTRAINED = (*FROM_BASE, *(arm for arm in ARMS if arm.startswith("temperature_")))


def untrained(arms: dict[str, list[dict]]) -> dict[str, np.ndarray]:
    """Way of asking the untrained model -> accuracies (1, P), from the finished records of a pair, by arm."""
    if "base" not in arms:
        return {}
    base, found = arms["base"][0], {}
    evaluation = base["after"]
    found["greedy"] = np.array([evaluation["greedy"]], dtype=float)
    if evaluation["num_samples"] >= VOTES and "answers" in evaluation:
        found[f"maj@{VOTES}"] = maj_at_k_counts(votes(evaluation), truths(base), VOTES, generator())[None]
    return found | {arm: accuracies(arms[arm]) for arm in UNTRAINED if arm in arms}


def gain_without_training(runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """How much of standard RL's gain the untrained model gives when it is asked in another way, for each pair.

    Returns:
        Columns model, task, way, accuracy and share (`Estimate`s), and gain (standard RL's, in accuracy).
    """
    rows = []
    for (model, task), arms in grouped(runs, records).items():
        arms = complete_arms(arms)
        if not {"base", "standard"} <= set(arms):
            continue
        base, standard = accuracies(arms["base"]), accuracies(arms["standard"])
        for way, accuracy in untrained(arms).items():
            row = {"model": model, "task": task, "way": way}
            row["accuracy"] = bootstrap_ci([accuracy], lambda a: a, BOOTSTRAP_SEED, bounds=(0, 1))
            row["share"] = bootstrap_ci([accuracy, standard, base], recovered, BOOTSTRAP_SEED, bounds=(0, 1))
            rows.append(row | {"gain": float(standard.mean() - base.mean())})
    return pd.DataFrame(rows, columns=["model", "task", "way", "accuracy", "share", "gain"])
