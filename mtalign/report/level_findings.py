"""What a map found: the threshold of each level, for the first screen of its index."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims import levels
from mtalign.claims.between_levels import heterogeneity
from mtalign.claims.level_words import in_sentences
from mtalign.claims.map_predictions import completed
from mtalign.config.grid import Grid
from mtalign.models.dialled import is_dialled
from mtalign.notebook import level_figures
from mtalign.records.store import Records
from mtalign.report.findings import Findings, each_once, standard_sentence
from mtalign.report.words import count

SURE = 0.05


@dataclass(frozen=True)
class Map:
    """Thresholds of the finished levels.

    Attributes:
        cells, crossings: as `levels.cells` and `levels.crossings` give them.
    """

    cells: pd.DataFrame
    crossings: pd.DataFrame

    def picture(self) -> Figure:
        return level_figures.thresholds(self.crossings, self.cells, levels.MEASURE)

    def in_words(self) -> str:
        """The picture, for those who do not see it."""
        return " ".join(in_sentences(self.crossings)).replace("**", "")


def mapped(grid: Grid, records: Records) -> Map | None:
    """The map of a grid of models by recipe; None for another grid, or while no level with the centre has finished."""
    if not all(is_dialled(model) for model, _ in grid.pairs):
        return None
    done = completed(levels.cells(grid.runs, records, theory=False), levels.planned(grid.runs))
    if done is None or "centre" not in set(done["level"]) or done["level"].nunique() < 2:
        return None
    return Map(done, levels.crossings(done))


def findings(found: Map, grid: Grid, tables: list[dict]) -> Findings:
    """The first screen: whether it is one threshold, and that of each level."""
    same = found.cells[found.cells["level"].notna()]
    between = heterogeneity(levels.crossings(levels.at_seeds(same, levels.common_seeds(same))))
    apart = f"Cochran's Q over {count(between['levels'], 'level')}, p {_short(between['p'])}, {between['I2']:.0%} of the spread is not chance"
    lead = (
        f"It is not one threshold on pass@4: {apart}."
        if between["p"] < SURE
        else f"That all levels share one threshold is not refuted: {apart}."
    )
    said = [_strong(line) for line in in_sentences(found.crossings)]
    tasks, models = {task for _, task in grid.pairs}, {model for model, _ in grid.pairs}
    seeds = sorted({len(block.seeds) for block in grid.blocks.values()})
    where = f"{count(len(models), 'base model')} made by recipe, {count(len(tasks), 'task')}, {seeds[0]} to {seeds[-1]} RL seeds each"
    return Findings(
        lead, [each for each in [*said, standard_sentence(list(each_once(tables).values()))] if each], where
    )


def _short(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _strong(line: str) -> list[tuple[str, bool]]:
    """A line of markdown as (words, whether they are strong).

    >>> _strong("**Four**, 8 runs")
    [('Four', True), (', 8 runs', False)]
    """
    return [(part, bool(place % 2)) for place, part in enumerate(line.split("**")) if part]
