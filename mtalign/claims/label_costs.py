"""Labels against runs: what each way from a pretrained model to a trained one costs, and where it ends.

Three ways, at each number of labelled examples that a warm-up was given: the warm-up alone, the majority vote after it, which needs
no more labels but does not always take off, and RL with true labels after it, which needs a label for each prompt it trains on.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims.labels import ARM, KEYS, take_off
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped

WAYS = {"base": "warm-up alone", ARM: "then majority vote", "standard": "then RL with true labels"}


def costs(table: pd.DataFrame, outcomes: pd.DataFrame, runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """A row for each recipe, number of labels of the warm-up, and way whose runs have finished.

    Args:
        table: as `labels.checkpoints` gives it.
        outcomes: as `decide.outcomes` gives them.

    Returns:
        Columns of `KEYS`, warm_labels, way, labels (in all), accuracy (mean over checkpoints and seeds), minutes (of a run of RL on
        the machine that made the records), and runs_needed and minutes_needed: until one run takes off in the mean, which is
        1 / P(take-off), inf where none of them did; one run with true labels, none without RL.
    """
    places = table.set_index("checkpoint")
    rows = []
    for (model, _), arms in grouped((run for run in runs if is_warm_up(run.model)), records).items():
        for arm, these in complete_arms(arms).items():
            if arm in WAYS and model in places.index:
                place = places.loc[model]
                row = {key: place[key] for key in KEYS} | {"warm_labels": place["labels"], "way": WAYS[arm], "arm": arm}
                prompts = these[0]["config"]["train_prompts"] if arm == "standard" else 0
                row |= {"labels": place["labels"] + prompts, "accuracy": accuracies(these).mean()}
                rows.append(row | {"minutes": 0.0 if arm == "base" else np.mean([r["seconds"] for r in these]) / 60})
    if not rows:
        return pd.DataFrame(
            columns=[*KEYS, "warm_labels", "way", "labels", "accuracy", "minutes", "runs_needed", "minutes_needed"]
        )
    by = [*KEYS, "warm_labels", "labels", "way", "arm"]
    found = pd.DataFrame(rows).groupby(by, as_index=False).mean()
    shares = take_off(table, outcomes).set_index([*KEYS, "labels"])["take_off"]
    needed = [_runs(shares, row) for row in found.to_dict("records")]
    return found.assign(runs_needed=needed, minutes_needed=found["minutes"] * needed).drop(columns="arm")


def _runs(shares: pd.Series, row: dict) -> float:
    if row["arm"] != ARM:
        return float(row["arm"] != "base")
    key = (*(row[k] for k in KEYS), row["warm_labels"])
    share = shares[key].value if key in shares.index else np.nan
    return np.inf if share == 0 else 1 / share
