"""What would falsify the thesis that alignment decides: the registered rules of the deciding experiment."""

from __future__ import annotations

import pandas as pd

from mtalign.claims.decide import ARM, LOW, SMALLEST_GAIN, rank_correlation, thresholds


def falsified(table: pd.DataFrame, crossings: pd.DataFrame | None = None) -> dict[str, bool | None]:
    """What would falsify the thesis, each by its registered rule; None where the runs that it needs are not there.

    Args:
        crossings: what `thresholds` gives for the table, where it is known.

    Returns:
        `no_slope T`, for each task T: standard RL gains at least 0.10 at four doses, in the mean over their checkpoints, and
        the rank correlation of alignment and take-off over testable checkpoints is at most 0, or no run takes off (where all do
        there is none, and the rule says nothing); `low_takes_off`: in tasks whose questions list options, half of the
        majority runs or more take off at alignment up to 0.03; `no_better_than_shuffled T`: at the highest testable dose that has
        both, the majority's mean accuracy is not above the shuffled majority's; `tasks_apart`: the intervals of x50 of two
        tasks do not meet, as far as they were measured.
    """
    found: dict[str, bool | None] = {}
    gains = table[table["arm"] == ARM]
    majority = gains[gains["testable"]]
    for task, these in majority.groupby("task", sort=False):
        doses = gains[gains["task"] == task].groupby("dose")["gain"].mean()
        share = these["taken"] / these["runs"]
        ranks = 0.0 if share.max() == 0 else rank_correlation(these["alignment"], share)
        learns = (doses >= SMALLEST_GAIN).sum() >= 4
        found[f"no_slope {task}"] = bool(ranks <= 0) if learns and ranks == ranks else None
    low = majority[(majority["alignment"] <= LOW) & majority["options"]]
    found["low_takes_off"] = bool(low["taken"].sum() >= low["runs"].sum() / 2) if len(low) else None
    for task in majority["task"].unique():
        found[f"no_better_than_shuffled {task}"] = _no_better_than_shuffled(table[table["task"] == task])
    known = (thresholds(table) if crossings is None else crossings).dropna(subset="x50")
    found["tasks_apart"] = bool(known["known_low"].max() > known["known_high"].min()) if len(known) == 2 else None
    return found


def _no_better_than_shuffled(table: pd.DataFrame) -> bool | None:
    both = table[table["arm"].isin([ARM, "shuffled_majority"]) & table["testable"]]
    paired = both.pivot_table(index=["model", "dose"], columns="arm", values="after").dropna()
    if len(paired.columns) < 2 or paired.empty:
        return None
    top = paired[paired.index.get_level_values("dose") == paired.index.get_level_values("dose").max()]
    return bool((top[ARM] - top["shuffled_majority"]).mean() <= 0)
