"""What a grid found that trains nothing: how well its models are aligned, or what came of its notebooks' predictions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup
from nbconvert.filters import markdown2html

from mtalign.claims.predictions import counted
from mtalign.claims.verdicts import STRONG
from mtalign.config.grid import Grid
from mtalign.notebook.cells import cells
from mtalign.notebook.pages import Page, notebook_parameters
from mtalign.report.findings import Findings, measured_on
from mtalign.report.html import clean, without_headings
from mtalign.report.words import count
from mtalign.stats import Estimate

LIMITS = "## What these numbers cannot say"  # heads a notebook's own limits
SURPRISING = "For which model and task do the surprising claims about RL of language models hold?"
ALIGNED = "How well are models aligned with tasks before any RL?"


def looks_elsewhere(pages: Iterable[Page]) -> bool:
    """Whether no notebook of the grid looks at its runs, but all at what others have measured; runs are there because a grid
    has some."""
    return all("arms" not in notebook_parameters(page.source) for page in pages)


def question(trains: bool, pages: list[Page]) -> str:
    """The heading of the index: of a grid that looks elsewhere, the question of its first notebook."""
    if trains:
        return SURPRISING
    if looks_elsewhere(pages):
        for text in (text for page in pages for text in markdown(page.source)):
            if text.startswith("# "):
                return text.splitlines()[0].removeprefix("# ")
    return ALIGNED


def findings(grid: Grid, pages: list[Page], levels: dict[tuple[str, str], Estimate], judged: list[dict]) -> Findings:
    """The first screen of a grid that trains nothing.

    Args:
        levels: (model, task) -> alignment.
        judged: as `predictions.all_judged` gives them.
    """
    if looks_elsewhere(pages):
        where = "what others have published: nothing is trained in this grid"
        outcomes = [row["outcome"] for row in judged]
        said = [[("Of ", False), (f"{count(len(judged), 'prediction')}: {counted(outcomes)}", True), (".", False)]]
        for word in ("refuted", "confirmed", "undecided"):
            said += [
                [(word.capitalize(), True), (f": {row['statement']} ({row['because']}).", False)]
                for row in judged
                if row["outcome"] == word
            ]
        return Findings("", said if judged else [], where)
    lead = "Nothing is trained in this grid: it measures how well models are aligned with tasks."
    return Findings(lead, [_alignment(levels)] if levels else [], measured_on(grid))


def _alignment(levels: dict[tuple[str, str], Estimate]) -> list[tuple[str, bool]]:
    """In how many pairs alignment is strong, weak or undecided, and where it is highest."""
    strong = sum(level.low >= STRONG for level in levels.values())
    weak = sum(level.high < STRONG for level in levels.values())
    (model, task), most = max(levels.items(), key=lambda item: item[1].value)
    counts = f"strong in {strong}, weak in {weak} and undecided in {len(levels) - strong - weak}"
    about = f" of {count(len(levels), 'pair')} of a model and a task (strong from a chance-corrected pass@4 of {STRONG:g}); it is highest, {most}, for {model} on {task}."
    return [("Alignment is ", False), (counts, True), (about, False)]


def limits(pages: Iterable[Page], out: Path) -> Markup:
    """What the executed notebooks of a grid say of their own limits, as clean HTML; empty where none says so."""
    found = dict.fromkeys(
        text.removeprefix(LIMITS).strip()
        for page in pages
        for text in markdown(out / f"{page.stem}.ipynb")
        if text.startswith(LIMITS)
    )
    return Markup("".join(without_headings(clean(markdown2html(text))) for text in found))


def markdown(notebook: Path) -> list[str]:
    """The markdown cells of a notebook; of a file that is none, nothing."""
    return ["".join(cell["source"]) for cell in cells(notebook, "markdown")]
