"""What a grid found, in a few sentences for its first screen: each is built from verdicts and flips, none is typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from mtalign.claims.dose_words import INFINITY, SURELY, in_words, kind_of
from mtalign.claims.untrained import UNTRAINED, gain_without_training
from mtalign.claims.verdicts import CLAIMS, LEAST_GAIN, STRONG, THRESHOLD
from mtalign.config.grid import Grid
from mtalign.models.load import is_micro
from mtalign.models.size import architecture, parameters
from mtalign.notebook.palette import label
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped
from mtalign.report.words import count, joined, stands

MEASURE = "chance-corrected pass@4"
MOST_SEEDS = 200  # beyond which "how many seeds would decide it" is no advice
STATED = "standard_rl"  # judged by what is left to gain, not by a share of itself


@dataclass(frozen=True)
class Findings:
    """The first screen.

    Attributes:
        lead: said first of all, where there is such a thing: that the grid decides nothing, or trains nothing.
        sentences: what was found, as plain text with the names of arms in `strong`.
        measured_on: models, tasks and seeds.
        deciding: the arm whose picture shows the finding; "" where no arm flips.
    """

    lead: str
    sentences: list[list[tuple[str, bool]]] = field(default_factory=list)  # (words, whether they are strong)
    measured_on: str = ""
    deciding: str = ""


def findings(
    grid: Grid, records: Records, tables: list[dict], flips: pd.DataFrame, exceptions: Sequence[str] = ()
) -> Findings:
    """The findings of a grid.

    Args:
        tables: as `index.verdict_tables` gives them, the headline's first.
        flips: as `dose_response.flips` gives them for the headline block; empty where there is no ladder.
        exceptions: verdicts of other blocks on the wrong side of a flip, as `advice` has them.
    """
    where = measured_on(grid)
    rows = list(each_once(tables).values())
    tested = [row for row in rows if row.claim != STATED and row.raw not in ("missing", "not testable")]
    firm = [row for row in tested if stands(row)]
    if tested and not firm:
        return Findings(too_noisy(grid, records, tested), untrained_sentences(grid, records), where)
    found = flip_sentences(flips) if len(flips) else count_sentences(tested)
    if exceptions:
        found.append([("Exceptions", True), (f" on other tasks: {'; '.join(exceptions)}.", False)])
    found += [*undecided_sentences(flips, tested), standard_sentence(rows), against_the_paper(rows)]
    deciding = ""
    if len(flips):
        trained = flips[flips["arm"].isin([claim.arm for claim in CLAIMS.values()])]
        width = {r.arm: r.high - r.low for r in trained.itertuples() if np.isfinite([r.flip, r.low, r.high]).all()}
        deciding = min(width, key=lambda arm: width[arm]) if width else ""
    return Findings("", [sentence for sentence in found if sentence], where, deciding)


def each_once(tables: list[dict]) -> dict[tuple, Any]:
    """(model, task, claim) -> its row; a test may stand in several tables."""
    rows: dict[tuple, Any] = {}
    for table in tables:
        for row in table["cells"].values():
            rows.setdefault((row.model, row.task, row.claim), row)
    return rows


def measured_on(grid: Grid) -> str:
    """Models with their size, tasks and seeds of the headline block.

    Sizes are those of shipped models alone: of others a report may be drawn where they are not at hand.
    """
    block = grid.block({})
    models, tasks = (list(dict.fromkeys(names)) for names in zip(*block.pairs, strict=True))
    if all(is_micro(model) for model in models):
        sizes = sorted({round(parameters(architecture(model)) / 1000) for model in models})
        size = f"{sizes[0]} thousand" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} thousand"
        who = f"{count(len(models), 'base model')} of {size} parameters"
    else:
        who = joined(models)
    what = f"{who}, {count(len(tasks), 'task')}"
    trained = any(run.max_steps for run in block.runs)
    return f"{what}, {count(len(block.seeds), 'seed')} each" if trained else what


def flip_sentences(flips: pd.DataFrame) -> list:
    """From which alignment on each arm recovers half of standard RL's gain."""
    kinds: dict[str, list] = {"from": [], "everywhere": [], "nearly": [], "nowhere": [], "hardly": [], "open": []}
    for row in flips[flips["arm"].isin([claim.arm for claim in CLAIMS.values()])].itertuples():
        kinds[kind_of(row.flip, row.low, row.high)].append(row)
    said: list[list[tuple[str, bool]]] = []
    for row in kinds["from"]:
        at = f"{row.flip:.2f} [{row.low:.2f}, {row.high:.2f}]"
        after = f" recovers more than half of what standard RL gains, in the mean over the ladder's tasks; below, less.{_take_off(row)}"
        said.append(
            [("Above an alignment of ", False), (at, True), (", training with ", False), (label(row.arm), True)]
        )
        said[-1].append((after, False))
    if rows := kinds["everywhere"]:
        said.append(_with(rows, "and", " recovers more than half at every alignment measured."))
    if rows := kinds["nearly"]:
        surely = max(row.high for row in rows)
        said.append(
            _with(rows, "and", f" recovers more than half at nearly every alignment: {SURELY} from {surely:.2f} on.")
        )
    if rows := kinds["nowhere"] + kinds["hardly"]:
        said.append(
            _with(
                rows,
                "or",
                f" recovers less than half in the mean over tasks at every alignment measured{_surely(rows)}",
            )
        )
    if rows := kinds["open"]:
        said.append(_with(rows, "or", ": it is open at which alignment half is recovered."))
    if len(ways := flips[flips["arm"].isin(UNTRAINED)]):
        said.append(
            [
                ("Without any training", True),
                (f" half of standard RL's gain is recovered {joined(_ways(ways))}.", False),
            ]
        )
    return said


def undecided_sentences(flips: pd.DataFrame, tested: list) -> list:
    """Of arms that recover less than half in the mean over tasks: of how many pairs, taken by themselves, that is undecided."""
    hardly = [r.arm for r in flips.itertuples() if kind_of(r.flip, r.low, r.high) in ("nowhere", "hardly")]
    said = []
    for arm in hardly:
        these = [row for row in tested if _arm(row.claim) == arm]
        if number := sum(not stands(row) for row in these):
            said.append(f"{number} of {len(these)} for {label(arm)}")
    return [[("Pair by pair", True), (f" verdicts are undecided: {joined(said)}.", False)]] if said else []


def _ways(ways: pd.DataFrame) -> list[str]:
    """From which alignment on each way of asking the untrained model recovers half, the earliest first."""
    names = {row.arm: label(row.arm).removeprefix("untrained, ") for row in ways.itertuples()}
    words = [(row["flip"], f"by {names[row['arm']]} {_way(row)}") for _, row in ways.iterrows()]
    return [each for _, each in sorted(words, key=lambda item: item[0])]


def _way(row: pd.Series) -> str:
    """Where a crossing lies; within a gap of the ladder its interval says how the gap was bridged, not where it lies."""
    before, after = row.get("before", float("nan")), row.get("after", float("nan"))
    if np.isfinite(row["flip"]) and before < row["low"] and row["high"] < after:
        return f"from somewhere between {before:.2f} and {after:.2f} on"
    return in_words(row, "")


def _surely(rows: list) -> str:
    """How sure it is that arms recover less than half: up to which alignment, in how many updates, what single runs reach."""
    ends = [row.low for row in rows if row.low < INFINITY]
    up_to = f", {SURELY} up to {min(ends):.2f}" if ends else ""
    best, over = max(row.largest for row in rows), sum(int(row.took_off) for row in rows)
    runs = f" {over} of {sum(int(row.runs) for row in rows)} runs recover more, the best {best:.2f}." if over else ""
    return f"{up_to}, in {max(row.updates for row in rows)} updates.{runs}"


def _take_off(row: Any) -> str:
    """From which alignment on half of the runs take off, where that is known."""
    if not np.isfinite([row.x50, row.x50_low, row.x50_high]).all():
        return ""
    return f" Half of its runs do so from {row.x50:.2f} [{row.x50_low:.2f}, {row.x50_high:.2f}] on."


def _with(rows: list, last: str, verb: str) -> list[tuple[str, bool]]:
    return [("Training with ", False), (joined(_names([label(row.arm) for row in rows]), last), True), (verb, False)]


def _names(labels: list[str]) -> list[str]:
    """An arm and the same as released are one name.

    >>> _names(["negatives only", "negatives only, as released"])
    ['negatives only (also as released)']
    """
    released = ", as released"
    both = {name for name in labels if f"{name}{released}" in labels}
    kept = [name for name in labels if name.removesuffix(released) not in both or name in both]
    return [f"{name} (also as released)" if name in both else name for name in kept]


def count_sentences(rows: list) -> list:
    """In how many pairs each arm holds, fails or is open, where too few pairs are there for a flip."""
    said = []
    for claim in dict.fromkeys(row.claim for row in rows):
        these = [row for row in rows if row.claim == claim]
        held = sum(stands(row) and row.raw == "holds" for row in these)
        failed = sum(stands(row) and row.raw == "fails" for row in these)
        words = f" recovers more than half of what standard RL gains in {held} of {count(len(these), 'pair')}, less in {failed}"
        words += f"; {len(these) - held - failed} undecided." if held + failed < len(these) else "."
        said.append([("Training with ", False), (label(_arm(claim)), True), (words, False)])
    return said


def standard_sentence(rows: list) -> list[tuple[str, bool]]:
    """In how many pairs standard RL reaches half of what is left to gain."""
    these = [row for row in rows if row.claim == STATED and row.raw not in ("missing", "not testable")]
    if not these:
        return []
    held = sum(stands(row) and row.raw == "holds" for row in these)
    words = f" reaches at least half of what is left to gain in {held} of {count(len(these), 'pair')}."
    return [(label("standard").capitalize().replace("rl", "RL"), True), (words, False)]


def against_the_paper(rows: list) -> list[tuple[str, bool]]:
    """How many of the verdicts that stand contradict what the paper leads one to expect, and of which arms."""
    firm = [row for row in rows if stands(row)]
    if not firm:
        return []
    against = Counter(label(_arm(row.claim)) for row in firm if row.raw != row.predicted)
    words = (
        f" of {count(len(firm), 'verdict')} that stand after Holm's correction contradict the paper (arXiv 2508.21188)"
    )
    arms = ", ".join(f"{name} {number}" for name, number in against.most_common())
    weak = f"; weak alignment being one below {STRONG:g}, our reading of it" if against else ""
    return [(f"{against.total()}", True), (f"{words}{f': {arms}' if arms else ''}{weak}.", False)]


def _arm(claim: str) -> str:
    return CLAIMS[claim].arm if claim in CLAIMS else claim


def untrained_sentences(grid: Grid, records: Records) -> list[list[tuple[str, bool]]]:
    """Where no verdict stands: what the untrained model reaches when it is asked in another way, where that is more than half of
    what standard RL gains, with 95% confidence for each way by itself.
    """
    said = []
    for row in gain_without_training(grid.runs, records).itertuples():
        if row.gain >= LEAST_GAIN and row.share.low > THRESHOLD:
            way = label(row.way).removeprefix("untrained, ")
            words = f" on {row.model}, {row.task}, {way} alone reaches an accuracy of {row.accuracy.value:.2f}: a share of {row.share} of what standard RL gains."
            said.append([("Without any training", True), (words, False)])
    return said


def too_noisy(grid: Grid, records: Records, rows: list) -> str:
    """That nothing is decided, and how many seeds would decide half of what is open."""
    seeds = max((int(row.seeds) for row in rows), default=len(grid.block({}).seeds))
    said = f"Too noisy to decide: with {count(seeds, 'seed')} no verdict stands after Holm's correction for {count(len(rows), 'test')}."
    if seeds < 2:
        return f"{said} With one seed the spread between seeds is unknown."
    needed = sorted(seeds_needed(grid, records, rows))
    if not needed:
        return said
    half = needed[(len(needed) - 1) // 2]
    if half > MOST_SEEDS:
        return f"{said} At the means and spreads seen, not even {MOST_SEEDS} seeds would decide half of them."
    return f"{said} At the means and spreads seen, about {half} seeds would decide half of them."


def seeds_needed(grid: Grid, records: Records, rows: list) -> list[int]:
    """For each row: how many seeds a t interval of its contrast takes to leave out 0, at the mean and spread seen.

    The contrast of a seed is (arm - base) - (standard - base) / 2, in accuracy: above 0 where the arm recovers more than
    half. The level is Bonferroni's, as Holm's first step; the choice of prompts is taken as it is.
    """
    found, pairs = [], grouped(grid.runs, records)
    for row in rows:
        arms = complete_arms(pairs[row.model, row.task])
        claim = CLAIMS.get(row.claim)
        if claim is None or not {"base", "standard", claim.arm} <= set(arms):
            continue
        arm, standard, base = (accuracies(arms[name]).mean(axis=1) for name in (claim.arm, "standard", "base"))
        number = min(len(arm), len(standard))
        contrast = arm[:number] - base - THRESHOLD * (standard[:number] - base)
        found.append(seeds_for(float(contrast.mean()), float(contrast.std(ddof=1)), 0.05 / len(rows)))
    return found


def seeds_for(mean: float, spread: float, level: float) -> int:
    """The smallest number of seeds with which a t interval around `mean` leaves out 0; `MOST_SEEDS` + 1 where more.

    >>> seeds_for(0.2, 0.1, 0.05), seeds_for(0.0, 0.1, 0.05)
    (4, 201)
    """
    for seeds in range(2, MOST_SEEDS + 1):
        if student.ppf(1 - level / 2, seeds - 1) * spread / seeds**0.5 < abs(mean):
            return seeds
    return MOST_SEEDS + 1
