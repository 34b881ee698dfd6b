"""The outcome of the deciding experiment in sentences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mtalign.claims import decide
from mtalign.claims.decide_part import FEWEST, Part
from mtalign.claims.dose_words import taking_off
from mtalign.claims.falsified import falsified as falsified_by
from mtalign.claims.level_errors import LEAST_SEEDS, seeds_of

SAID = {
    "transfers": "the micro study's threshold **transfers**",
    "does not transfer": "the micro study's threshold **does not transfer**",
    "undecided": "whether the micro study's threshold transfers is **undecided**",
}
RULES = {  # name in `falsified.falsified` -> what would falsify the thesis
    "no_slope": "take-off does not rise with alignment",
    "low_takes_off": f"half of the majority votes take off at an alignment of at most {decide.LOW:g}",
    "no_better_than_shuffled": "at the highest testable dose the majority vote ends no better than a shuffled majority",
    "tasks_apart": "two tasks have thresholds whose intervals do not meet",
}


def verdicts(table: pd.DataFrame, part: Part | None = None) -> list[str]:
    """The primary outcome of each task and what falsifies the thesis, as sentences.

    Args:
        table: as `decide.outcomes` gives it.
        part: what there is of the registered runs; None where the table is all of them. Where something is missing, what the
            runs say so far stands here without a verdict.
    """
    if part is None:
        return _judged(table)
    if part.may_be_judged:
        return [str(part), *_judged(table)]
    if part.checkpoints < FEWEST:  # the controls
        met = [name for name, holds in _rules(table, part).items() if holds]
        return [str(part), *(f"**The thesis is falsified**: {rule(name)}." for name in met)]
    return [str(part), *(f"So far, {family(task)}: {so_far(table, task)}" for task in table["task"].unique())]


def thresholds(table: pd.DataFrame, part: Part | None = None) -> pd.DataFrame:
    """The thresholds that are shown: the registered ones once they may be judged, before that with intervals that know shared seeds."""
    judged = part is None or part.may_be_judged
    return decide.thresholds(table) if judged else decide.thresholds_of_shared_seeds(table)


def _judged(table: pd.DataFrame) -> list[str]:
    crossings = decide.thresholds(table)
    if crossings.empty:
        return ["Nothing is decided: no checkpoint has finished runs without and with standard RL."]
    lines = [f"{family(row.task)}: {transfer(row)}{_family(row)}" for row in crossings.itertuples()]
    rules = falsified_by(table, crossings)
    met, unknown = ([name for name, holds in rules.items() if holds is wanted] for wanted in (True, None))
    lines += [f"**The thesis is falsified**: {rule(name)}." for name in met]
    if not met and len(unknown) < len(rules):
        lines.append(f"Of {len(rules)} rules that could falsify the thesis none is met.")
    if unknown:
        lines.append(
            f"{len(unknown)} of {len(rules)} rules that could falsify it could not be applied, since runs that they need are missing."
        )
    return lines


def family(task: str) -> str:
    """A task without its settings.

    >>> family("rg:needle_haystack?min_num_statements=2&size=400"), family("ordering")
    ('rg:needle_haystack', 'ordering')
    """
    return task.partition("?")[0]


def beyond(table: pd.DataFrame) -> list[str]:
    """Where runs recover half of what standard RL gains beyond greedy decoding, task by task: the registered second look."""
    counted = decide.beyond_greedy(table)
    lines = []
    for row in decide.thresholds(counted).itertuples():
        these = counted[(counted["task"] == row.task) & (counted["arm"] == decide.ARM)]
        tested = f"{int(these['testable'].sum())} of {len(these)} checkpoints can be tested"
        taken = f"{int(these.loc[these['testable'], 'taken'].sum())} of {row.runs} majority votes take off"
        lines.append(f"{family(row.task)}: {tested}" + (f", where {taken}." if row.runs else "."))
    return lines


def so_far(table: pd.DataFrame, task: str) -> str:
    """What there is of a task before anything may be judged: how many votes took off, and a threshold from three RL seeds on.

    Args:
        table: as `decide.outcomes` gives it.
    """
    these = decide.of_arm(table, task)
    if these.empty:
        return "no checkpoint could be tested."
    seeds, taken, runs = len(seeds_of(these)), int(these["taken"].sum()), int(these["runs"].sum())
    rests = f"{seeds} RL seed{'s' * (seeds != 1)} of {len(these)} checkpoint{'s' * (len(these) != 1)}, aligned {these['alignment'].min():.2f} to {these['alignment'].max():.2f}"
    said = f"{taken} of {runs} majority votes took off ({rests})"
    if seeds < LEAST_SEEDS:
        return f"{said}; with fewer than {LEAST_SEEDS} RL seeds no threshold is given."
    (row,) = decide.thresholds_of_shared_seeds(these).itertuples()
    return f"{said}; {taking_off(row)}."


def _family(row: Any) -> str:
    """What holds of both tests together, where it is less than what holds of each."""
    if row.outcome != "does not transfer":
        return ""
    said = "it does not either" if row.in_family == row.outcome else "that is undecided"
    return f" With intervals for two tests (97.5%) {said}."


def transfer(row: Any) -> str:
    """A row of `decide.thresholds` or `dials.crossings` in a sentence.

    >>> from types import SimpleNamespace
    >>> transfer(SimpleNamespace(outcome="transfers", x50=0.2, low=0.15, high=0.3, registered=0.2))
    "the micro study's threshold **transfers**: half of the majority votes take off from an alignment of 0.20 [0.15, 0.30] on, and what counts as the same is 0.10 to 0.40."
    """
    low, high = row.registered / decide.FACTOR, row.registered * decide.FACTOR
    return f"{SAID[row.outcome]}: {taking_off(row)}, and what counts as the same is {low:.2f} to {high:.2f}."


def rule(name: str) -> str:
    """What a rule of `falsified.falsified` says, with its task where it is about one.

    >>> rule("no_slope a")
    'in a, take-off does not rise with alignment'
    """
    kind, _, task = name.partition(" ")
    return f"in {family(task)}, {RULES[kind]}" if task else RULES[kind]


def falsified(table: pd.DataFrame, part: Part | None = None) -> pd.DataFrame:
    """Each rule that could falsify the thesis, and whether it does: a table with the columns rule and outcome.

    Args:
        part: as for `verdicts`; where runs are missing no rule is applied.
    """
    words = {True: "falsifies the thesis", False: "is not met", None: "could not be applied: runs are missing"}
    rules = _rules(table, part)
    return pd.DataFrame({"rule": [rule(name) for name in rules], "outcome": [words[holds] for holds in rules.values()]})


def _rules(table: pd.DataFrame, part: Part | None) -> dict[str, bool | None]:
    """`falsified.falsified`, None where runs are missing, or where a rule about thresholds has too few checkpoints."""
    rules = falsified_by(table)
    if part is None or part.may_be_judged:
        return rules
    whole = part.done == part.planned
    return {name: holds if whole and name.startswith("no_better") else None for name, holds in rules.items()}
