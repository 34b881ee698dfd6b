"""What a map found: the threshold of each level, for the first screen of its index."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from mtalign.claims import levels
from mtalign.claims.between_levels import refuted
from mtalign.claims.level_errors import at_seeds
from mtalign.claims.level_thresholds import crossings
from mtalign.claims.level_words import in_sentences
from mtalign.claims.map_predictions import completed
from mtalign.config.grid import Grid
from mtalign.notebook import level_figures
from mtalign.records.store import Records
from mtalign.report.findings import Findings, each_once, standard_sentence
from mtalign.report.words import count, in_strong


@dataclass(frozen=True)
class Map:
    """Thresholds of the finished levels.

    Attributes:
        cells, crossings: as `levels.cells` and `level_thresholds.crossings` give them.
    """

    cells: pd.DataFrame
    crossings: pd.DataFrame

    def picture(self) -> Figure:
        return level_figures.thresholds(self.crossings, self.cells, levels.MEASURE)

    @property
    def pretrained(self) -> int:
        """Base models of each dose and level, at least."""
        return int(self.cells.groupby(["level", "dose"])["pretraining"].nunique().min())

    def in_words(self) -> str:
        """The picture, for those who do not see it."""
        return " ".join(in_sentences(self.crossings)).replace("**", "")


def mapped(grid: Grid, records: Records) -> Map | None:
    """The map of a grid of models by recipe; None for another grid, or while no level with the centre has finished."""
    if not levels.is_map(grid.runs):
        return None
    done = completed(levels.cells(grid.runs, records, theory=False), levels.planned(grid.runs))
    if done is None or levels.CENTRE not in set(done["level"]) or done["level"].nunique() < 2:
        return None
    return Map(done, crossings(done))


def findings(found: Map, tables: list[dict]) -> Findings:
    """The first screen: whether it is one threshold, and that of each level."""
    said = [in_strong(line) for line in in_sentences(found.crossings)]
    said.append(standard_sentence(list(each_once(tables).values())))
    cells = found.cells
    counts = [
        count(cells[name].nunique(), word)
        for name, word in (("model", "base model"), ("task", "task"), ("level", "level"))
    ]
    seeds = sorted({len(each) for each in cells["seeds"]})
    where = f"{counts[0]} made by recipe, {counts[1]}, {counts[2]}; RL seeds of each: {', '.join(map(str, seeds))}"
    return Findings(_one_threshold(cells), [each for each in said if each], where)


def _one_threshold(cells: pd.DataFrame) -> str:
    """Whether levels share a threshold, by the rule of `between_levels.refuted`; nothing where it cannot be asked."""
    apart, numbers = refuted(crossings(at_seeds(cells, levels.usual_seeds(cells))))
    if apart is None:
        return ""
    said = (
        "It is not one threshold on pass@4" if apart else "That all levels share one threshold on pass@4 is not refuted"
    )
    return f"{said}: {numbers}."
