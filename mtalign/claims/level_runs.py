"""Runs of the map that are compared with each other and not with a level's threshold: with clipping, and on one example."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims.levels import finished, is_drifting, level
from mtalign.config.run import Run
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.records.tables import accuracies
from mtalign.stats import recovered

EARLY = "accuracy in rollouts 2 to 4"  # of training


def drift(runs: Iterable[Run], store: Records) -> pd.DataFrame:
    """A row for each finished run with clipping.

    Returns:
        Columns model, dose, arm, seed, change (of accuracy), clip_fraction (the largest of a rollout's updates, in the mean over
        rollouts), moved (length of the change of the weights, as a share of theirs); and `EARLY`, the share of right completions in
        the second, third and fourth rollout of training, in their mean: before the weights have gone far.
    """
    rows = []
    for record in finished(store, filter(is_drifting, runs)):
        config, displacement = record["config"], record["displacement"]
        change = accuracies([record]).mean() - accuracies([record], "before").mean()
        row = {key: config[key] for key in ("model", "arm", "seed")} | {"dose": dialled.parse(config["model"]).dose}
        row |= {"change": float(change), "clip_fraction": float(np.mean(record["curve"]["clip_fraction"]))}
        row[EARLY] = float(np.mean(record["curve"]["accuracy"][1:4]))
        rows.append(row | {"moved": displacement["moved"] / displacement["length"]})
    return pd.DataFrame(rows)


def one_example(runs: Iterable[Run], store: Records) -> pd.DataFrame:
    """A row for each finished run on one example, with the share of standard RL's gain at the same seed and budget.

    Returns:
        Columns level, model, dose, arm, rank, seed, share; `accuracy` at the end and `chance`; `signal`, the share of groups in
        training whose rewards differed; and `constant`, the share of held-out prompts of which all samples are right or none.
    """
    rows = []
    for run in runs:
        if run.subset != "one_shot":
            continue
        found = [store.read(each) for each in (run, run.standard, run.base)]
        if all(record and record["status"] == "finished" for record in found):
            share = recovered(*(accuracies([record]).mean() for record in found))
            row = {"level": level(run), "model": run.model, "dose": dialled.parse(run.model).dose, "arm": run.arm}
            row["rank"] = run.rank
            row |= {"seed": run.seed, "share": float(share), "accuracy": float(accuracies(found[:1]).mean())}
            right = np.array(found[0]["after"]["correct"]) / found[0]["after"]["num_samples"]
            silent = np.mean(found[0]["curve"]["frac_reward_zero_std"])
            row |= {
                "chance": found[0]["chance"],
                "signal": float(1 - silent),
                "constant": float(np.mean(right % 1 == 0)),
            }
            rows.append(row)
    return pd.DataFrame(rows)
