"""The rules of the deciding experiment: pretrained models whose alignment a warm-up sets (`params/decide.yaml`).

Every rule here was committed before the first run of an arm that decides (reports/decide/REGISTRATION.md has the words).
The unit is the checkpoint: one warm-up, that is one dose and one seed, of one task.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mtalign.claims import level_errors
from mtalign.claims.mixed_logit import Crossing, crossing
from mtalign.claims.take_off import rate, took_off
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.metrics import chance_corrected, maj_at_k_counts, pass_at_k_counts
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, grouped, guess_rates, truths, votes
from mtalign.stats import recovered
from mtalign.tasks.registry import load_task

ARM = "majority_vote"  # whose threshold is asked for
FAMILY = 0.975  # level of an interval where two tests are looked at
FACTOR = 2.0  # how far from the registered value x50 may lie and still transfer
SMALLEST_GAIN = 0.10  # of standard RL, in accuracy: with less there is nothing to recover
LOW = 0.03  # alignment up to which no majority may take off in half of the runs
GROUP = 16  # votes: the group size of training
REGISTERED = Path(__file__).with_name("registered.json")  # the micro study's x50, written by `registration`
MEASURES = ("alignment", "accuracy", "greedy", "majority", "majority_gain", "mode", "drift")  # fixed: `measured`
FREE = ("greedy", "majority")  # of these, what needs no training
Outcome = Literal["transfers", "does not transfer", "undecided"]


def measured(base: dict) -> dict[str, float]:
    """What predicts take-off, from the untrained model's record: the fixed list of the registration.

    Args:
        base: a finished record of the arm `base`, with at least `GROUP` samples a prompt.

    Returns:
        `alignment` (the primary measure: pass@4, corrected for guessing as often as this model guesses), `accuracy`,
        `greedy`, `majority` (maj@16),
        `majority_gain` (maj@16 - pass@1), `mode` (share of prompts whose most frequent answer is right, ties by their
        share) and `drift` (`replicator_drift`).
    """
    evaluation = base["after"]
    number, correct = evaluation["num_samples"], np.array(evaluation["correct"])
    passed = pass_at_k_counts(correct, number, 4)
    given, right = votes(evaluation), truths(base)
    majority = float(maj_at_k_counts(given, right, GROUP, np.random.default_rng(0)).mean())
    accuracy = float(correct.mean() / number)
    return {
        "alignment": float(chance_corrected(passed.mean(), guess_rates(base), 4)),
        "accuracy": accuracy,
        "greedy": float(np.mean(evaluation["greedy"])),
        "majority": majority,
        "majority_gain": majority - accuracy,
        "mode": float(np.mean(evaluation["majority"])),
        "drift": float(np.mean([replicator_drift(v, r) for v, r in zip(given, right, strict=True)])),
    }


def replicator_drift(votes: dict[str | None, int], right, draws: int = 400) -> float:
    """How fast the right answers' share grows at first under the majority's reward: sum over right a of p_a (q_a - mean q).

    The mean-field theory without a fitted constant: an answer with share p_a is rewarded where it is the majority of its
    group, with probability q_a, and policy gradient moves shares as the replicator equation does. The group is drawn
    with replacement from the untrained model's own votes.

    >>> replicator_drift({"7": 12, "1": 4}, {"7"}) > 0 > replicator_drift({"7": 4, "1": 12}, {"7"})
    True
    """
    names = list(votes)
    share = np.array([votes[n] for n in names], dtype=float) / sum(votes.values())
    drawn = np.random.default_rng(0).multinomial(GROUP, share, size=draws)  # (draws, answers)
    drawn[:, [n is None for n in names]] = 0
    top = (drawn == drawn.max(axis=1, keepdims=True)) & (drawn > 0)
    wins = (top / np.maximum(top.sum(axis=1, keepdims=True), 1)).mean(axis=0)  # (answers,) q
    known = right if isinstance(right, set) else {right}
    chosen = np.array([n in known for n in names])
    return float((share * (wins - (share * wins).sum()))[chosen].sum())


def has_diverged(record: dict) -> bool:
    """Whether a run failed because its training diverged: it is there, and did not take off."""
    return record["status"] == "failed" and str(record.get("reason", "")).startswith("Diverged")


def outcomes(runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """A row for each arm of each checkpoint whose base and standard runs are finished.

    Returns:
        Columns `model`, `task`, `dose`, `warm_seed`, those of `measured`, `arm`, `gain` (of standard RL, its mean over
        seeds), `runs`, `taken` (of these, how many took off; one that diverged did not), `after` (mean accuracy),
        `greedy_share` and `majority_share` (what each gives of that gain without training), `after_by_seed`, `testable`; `seeds` and
        `shares`, the RL seed of each run and the share of that gain that it recovers (0 of one that diverged);
        `gain_beyond` and `taken_beyond`: the same with the untrained model's greedy accuracy in place of its sampled one. Of an arm
        whose runs all diverged `after` is NaN. Standard runs that diverged are not in the mean.
    """
    rows = []
    for (model, task), arms in grouped(runs, records).items():
        done = {arm: [r for r in these if r["status"] == "finished"] for arm, these in arms.items()}
        if not done.get("base") or not done.get("standard"):
            continue
        base = accuracies(done["base"])
        standard = accuracies(done["standard"])
        gain = float(standard.mean() - base.mean())
        greedy = np.array(done["base"][0]["after"]["greedy"], dtype=float)[None, :]
        found = measured(done["base"][0]) | {"options": all(example.options for example in load_task(task).eval)}
        free = {f"{name}_share": float(recovered(found[name], standard.mean(), base.mean())) for name in FREE}
        for arm, these in done.items():
            lost = list(filter(has_diverged, arms[arm]))
            if arm == "base" or (not these and not lost):
                continue
            after = accuracies(these) if these else np.empty((0, base.shape[1]))
            taken, beyond = (took_off(after, standard, start) for start in (base, greedy))
            mean = float(after.mean()) if these else float("nan")
            shares = recovered(after.mean(axis=1), standard.mean(), base.mean()).tolist()
            rows.append(
                {"model": model, "task": task, **_dial(model), **found, "arm": arm}
                | {"gain": gain, "runs": len(these) + len(lost), "taken": int(taken.sum()), "after": mean}
                | free
                | {"gain_beyond": float(standard.mean() - greedy.mean()), "taken_beyond": int(beyond.sum())}
                | {"seeds": [r["config"]["seed"] for r in [*these, *lost]], "shares": [*shares, *(0.0 for _ in lost)]}
                | {"after_by_seed": after.mean(axis=1).round(4).tolist(), "testable": gain >= SMALLEST_GAIN}
            )
    columns = ["model", "task", "dose", "warm_seed", *MEASURES, "options", "arm", "gain", "runs", "taken", "after"]
    columns += [
        *(f"{name}_share" for name in FREE),
        "gain_beyond",
        "taken_beyond",
        "after_by_seed",
        "seeds",
        "shares",
        "testable",
    ]
    return pd.DataFrame(rows, columns=columns).astype({"testable": bool})  # of no rows it would be no mask


def beyond_greedy(table: pd.DataFrame) -> pd.DataFrame:
    """The table with gains and take-offs counted from the untrained model's greedy accuracy: what is more than sharpening.

    A model that gives its likeliest answer always has learned nothing, and can still have recovered half of standard RL's gain
    in sampled accuracy. Testable is where standard RL ends at least 0.10 above greedy.
    """
    gain = table["gain_beyond"]
    counted = table.drop(columns=["seeds", "shares"], errors="ignore")  # of the other gain
    return counted.assign(gain=gain, taken=table["taken_beyond"], testable=gain >= SMALLEST_GAIN)


def _dial(model: str) -> dict:
    """The dose and seed of a warm-up; of another model there are none."""
    if not is_warm_up(model):
        return {"dose": np.nan, "warm_seed": np.nan}
    return {"dose": parse(model).dose, "warm_seed": parse(model).seed}


def registered() -> float:
    """The x50 that was registered."""
    return json.loads(REGISTERED.read_text(encoding="utf-8"))["x50"]


def threshold(
    table: pd.DataFrame, task: str, arm: str = ARM, measure: str = "alignment", level: float = 0.95
) -> Crossing:
    """x50 of an arm in a task, by the mixed logit, over its testable checkpoints; NaN where there is none."""
    these = of_arm(table, task, arm)
    if these.empty:
        return Crossing(np.nan, np.nan, np.nan, runs=0, pairs=0, checkpoints=0)
    counts = (these[name].tolist() for name in (measure, "taken", "runs", "model"))
    return crossing(*counts, level=level)


def of_arm(table: pd.DataFrame, task: str, arm: str = ARM) -> pd.DataFrame:
    """The rows of an arm in a task whose checkpoint can be tested."""
    return table[(table["task"] == task) & (table["arm"] == arm) & table["testable"]]


def thresholds(table: pd.DataFrame) -> pd.DataFrame:
    """x50 of the majority vote in each task with its interval, and what the primary rule says of it; `in_family` is what it says
    with intervals of 97.5%, those of two tests."""
    rows = []
    for task in table["task"].unique():
        found, known = threshold(table, task), registered()
        row = {"task": task, "x50": found.x50, "low": found.low, "high": found.high, "registered": known}
        row |= {"runs": found.runs, "checkpoints": found.checkpoints, "outcome": transfers(found, known)}
        low, high = found.known()
        row["in_family"] = transfers(threshold(table, task, level=FAMILY), known)
        rows.append(row | {"known_low": low, "known_high": high, "least": found.least, "most": found.most})
    columns = ["task", "x50", "low", "high", "registered", "runs", "checkpoints", "outcome", "in_family"]
    columns += ["known_low", "known_high", "least", "most"]
    return pd.DataFrame(rows, columns=columns)


def thresholds_of_shared_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The same x50 with an interval that knows that all checkpoints of a task share their RL seeds (`level_errors.interval`).

    Exploratory: written after the registration, whose interval takes runs of one checkpoint as independent. It judges nothing.

    Returns:
        Columns task, x50, low, high, seeds (of RL).
    """
    rows = []
    for task in table["task"].unique():
        these, found = of_arm(table, task), threshold(table, task)
        if not these.empty:
            ends = level_errors.interval(these, "alignment", found)
            rows.append(
                {"task": task, **dict(zip(("x50", "low", "high"), ends, strict=True))}
                | {"seeds": len(level_errors.seeds_of(these))}
            )
    return pd.DataFrame(rows, columns=["task", "x50", "low", "high", "seeds"])


def predictors(table: pd.DataFrame, arm: str = ARM) -> pd.DataFrame:
    """Spearman's rank correlation, over testable checkpoints, of each measure with the share of runs that took off."""
    rows = []
    for task, these in table[(table["arm"] == arm) & table["testable"]].groupby("task", sort=False):
        share = these["taken"] / these["runs"]
        for name in MEASURES:
            rows.append({"task": task, "measure": name, "rank_correlation": rank_correlation(these[name], share)})
    return pd.DataFrame(rows, columns=["task", "measure", "rank_correlation"])


def rank_correlation(x: pd.Series, y: pd.Series) -> float:
    """Spearman's rank correlation; NaN where either is constant."""
    return float("nan") if min(x.nunique(), y.nunique()) < 2 else float(x.corr(y, method="spearman"))


def transfers(found: Crossing, registered: float, factor: float = FACTOR) -> Outcome:
    """The primary rule: whether x50 lies within a factor of the micro study's, with its whole interval.

    >>> transfers(Crossing(0.2, 0.12, 0.3, 60, 20, 20), registered=0.2)
    'transfers'
    >>> transfers(Crossing(0.6, 0.45, 0.7, 60, 20, 20), registered=0.2)
    'does not transfer'
    >>> transfers(Crossing(0.3, 0.15, 0.5, 60, 20, 20), registered=0.2)
    'undecided'
    >>> transfers(Crossing(float("-inf"), float("-inf"), float("-inf"), 60, 20, 20, least=0.19, most=0.9), registered=0.2)
    'undecided'
    """
    low, high = registered / factor, registered * factor
    at_least, at_most = found.known()  # a range that was not measured decides nothing
    if low <= at_least and at_most <= high:
        return "transfers"
    return "does not transfer" if at_most < low or at_least > high else "undecided"


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """P(take-off) of each task, arm and dose over its checkpoints and seeds, with the exact interval."""
    rows = []
    for (task, arm, dose), these in table[table["testable"]].groupby(["task", "arm", "dose"], sort=False):
        estimate = rate(int(these["taken"].sum()), int(these["runs"].sum()))
        rows.append({"task": task, "arm": arm, "dose": dose, "runs": int(these["runs"].sum()), "take_off": estimate})
    return pd.DataFrame(rows)
