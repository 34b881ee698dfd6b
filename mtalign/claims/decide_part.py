"""Whether the deciding experiment may be judged yet: once all runs that its primary outcome needs are there, and not before.

`reports/decide/REGISTRATION.md` says so: what there is before may be looked at, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mtalign.claims.decide import ARM, has_diverged
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.records.store import Records

ARMS = ("base", "standard", ARM)  # what the primary outcome is computed from
FEWEST = 4  # checkpoints of a task and warm-up seed, with fewer of which no threshold is judged


@dataclass(frozen=True)
class Part:
    """What there is of the runs that the primary outcome needs.

    Attributes:
        seeds: warm-up seeds of which all runs are there, in every task; -1 stands for models that no warm-up made.
        planned_seeds: how many there are to be.
        done, planned: runs.
        checkpoints: planned of a task and warm-up seed, at least.
    """

    seeds: tuple[int, ...]
    planned_seeds: int
    done: int
    planned: int
    checkpoints: int = FEWEST

    @property
    def may_be_judged(self) -> bool:
        """Whether all is there, and bears a threshold."""
        return self.done == self.planned and self.checkpoints >= FEWEST

    def __str__(self) -> str:
        """What may be judged, in a sentence.

        >>> print(Part((0,), 4, 70, 250))
        **Not judged yet**: 70 of the 250 runs that the primary outcome needs are there (warm-up seeds that are whole: 0). What follows is a first look; it decides nothing.
        """
        if self.checkpoints < FEWEST:
            return f"**Not judged here**: a threshold needs at least {FEWEST} checkpoints of each task, and here are {self.checkpoints}."
        if self.may_be_judged:
            return f"All {self.planned} runs that the primary outcome needs are there."
        whole = (
            f" (warm-up seeds that are whole: {', '.join(map(str, self.seeds))})"
            if max(self.seeds, default=-1) >= 0
            else ""
        )
        there = f"{self.done} of the {self.planned} runs that the primary outcome needs are there{whole}"
        return f"**Not judged yet**: {there}. What follows is a first look; it decides nothing."


def part(runs: Iterable[Run], records: Records) -> Part:
    """What there is of the registered runs: those of the arms without training, standard and majority vote.

    A run that diverged is there: by the registration it counts as not having taken off.
    """
    there: dict[int, list[bool]] = {}
    models: dict[tuple[str, int], set[str]] = {}
    for run in runs:
        if run.arm in ARMS:
            record, seed = records.read(run), parse(run.model).seed if is_warm_up(run.model) else -1
            there.setdefault(seed, []).append(
                record is not None and (record["status"] == "finished" or has_diverged(record))
            )
            models.setdefault((run.task, seed), set()).add(run.model)
    whole = tuple(seed for seed, each in sorted(there.items()) if all(each))
    done, planned = (sum(count(each) for each in there.values()) for count in (sum, len))
    return Part(whole, len(there), done, planned, min(map(len, models.values()), default=0))
