"""What a grid of warm-ups found: where the majority vote takes off, for the first screen of its index."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims import decide, decide_words
from mtalign.claims.decide_part import ARMS, FEWEST, Part, part
from mtalign.config.grid import Grid
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.notebook import transfer_figures
from mtalign.records.store import Records
from mtalign.report.findings import Findings
from mtalign.report.words import count, in_strong, joined


@dataclass(frozen=True)
class Dialled:
    """Outcomes of the checkpoints that have finished.

    Attributes:
        table: as `decide.outcomes` gives it.
        part: what there is of the runs that an outcome needs.
    """

    table: pd.DataFrame
    part: Part

    def picture(self) -> Figure:
        return transfer_figures.transfer(self.table, decide_words.thresholds(self.table, self.part), "task")

    def in_words(self) -> str:
        """The picture, for those who do not see it."""
        return " ".join(decide_words.verdicts(self.table, self.part)).replace("**", "")


def of_warm_ups(grid: Grid, records: Records) -> Dialled | None:
    """The outcome of a grid of warm-ups, from its largest block that bears a threshold; None for another grid, or while no
    checkpoint has finished runs of standard RL and of the majority vote."""
    if not all(is_warm_up(model) for model, _ in grid.pairs):
        return None
    blocks = [block.runs for block in grid.blocks.values() if set(ARMS) <= {run.arm for run in block.runs}]
    runs: list[Run] = max(blocks, key=len, default=[])
    table, there = decide.outcomes(runs, records), part(runs, records)
    if there.checkpoints < FEWEST or decide.ARM not in set(table["arm"]):
        return None
    return Dialled(table, there)


def findings(found: Dialled) -> Findings:
    """The first screen: whether anything is judged yet, and each task's threshold, by the primary rule and beyond greedy."""
    lead, *said = decide_words.verdicts(found.table, found.part)
    said += [f"Beyond greedy decoding, {line}" for line in decide_words.beyond(found.table)]
    models = {parse(model).model for model in found.table["model"]}
    checkpoints = count(found.table["model"].nunique(), "warm-up checkpoint")
    where = f"{checkpoints} of {joined(sorted(models))}, {count(found.table['task'].nunique(), 'task')}"
    return Findings(lead.replace("**", ""), [in_strong(line) for line in said], where)
