"""Which part of the deciding experiment may be judged: the registration names whole warm-up seeds, and nothing less.

`reports/decide/REGISTRATION.md`: "the primary outcome is computed once all 240 runs are there, or, if time ends before, for the
warm-up seeds that are complete in both tasks, said to be so". What there is of other seeds may be looked at, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.records.store import Records

ARMS = ("base", "standard", "majority_vote")  # what the primary outcome is computed from


@dataclass(frozen=True)
class Part:
    """What there is of the runs that the primary outcome needs.

    Attributes:
        seeds: warm-up seeds of which all runs are there, in every task; -1 stands for models that no warm-up made.
        planned_seeds: how many there are to be.
        done, planned: runs.
    """

    seeds: tuple[int, ...]
    planned_seeds: int
    done: int
    planned: int

    @property
    def whole(self) -> bool:
        """Whether all is there."""
        return self.done == self.planned

    def __str__(self) -> str:
        """What may be judged, in a sentence.

        >>> str(Part((0,), 4, 70, 250))
        'Judged on warm-up seed 0 of 4 alone: 70 of the 250 runs that the primary outcome needs are there.'
        """
        there = f"{self.done} of the {self.planned} runs that the primary outcome needs are there"
        if self.whole:
            return f"All {self.planned} runs that the primary outcome needs are there."
        if not self.seeds:
            return (
                f"**Not judged yet**: {there}, and of no warm-up seed all of them in every task, which the registration"
                " asks for. What follows is a first look; it decides nothing."
            )
        named = ", ".join("(models without one)" if seed < 0 else str(seed) for seed in self.seeds)
        return f"Judged on warm-up seed{'s' * (len(self.seeds) > 1)} {named} of {self.planned_seeds} alone: {there}."


def part(runs: Iterable[Run], records: Records) -> Part:
    """What there is of the registered runs: those of the arms without training, standard and majority vote.

    A run that diverged is there: by the registration it counts as not having taken off.
    """
    there: dict[int, list[bool]] = {}
    for run in runs:
        if run.arm in ARMS:
            there.setdefault(_seed(run.model), []).append(_is_there(run, records))
    done = sum(sum(each) for each in there.values())
    planned = sum(len(each) for each in there.values())
    return Part(tuple(seed for seed, each in sorted(there.items()) if all(each)), len(there), done, planned)


def may_be_judged(table: pd.DataFrame, of: Part) -> pd.DataFrame:
    """The rows of `decide.outcomes` that may be judged: those of the whole warm-up seeds."""
    return table[table["warm_seed"].fillna(-1).isin(of.seeds)]


def _seed(model: str) -> int:
    return parse(model).seed if is_warm_up(model) else -1


def _is_there(run: Run, records: Records) -> bool:
    record = records.read(run)
    if record is None:
        return False
    return record["status"] == "finished" or str(record.get("reason", "")).startswith("Diverged")
