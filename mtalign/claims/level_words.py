"""Where half of the majority votes take off at each level of the map, in words."""

from __future__ import annotations

import pandas as pd

from mtalign.claims.dose_words import NEARLY_ALL, ends, kind_of, taking_off, where
from mtalign.claims.levels import CENTRE
from mtalign.stats import Estimate

NAMES = {
    CENTRE: "the centre",
    "agree": "{} of wrong guesses agree",
    "right": "working is right with probability {}",
    "lr": "learning rate {}",
    "updates": "{} updates",
    "group": "{} completions of each prompt",
    "size": "{} parameters",
    "arithmetic": "{} possible answers",
}


def called(level: str) -> str:
    """A level's name in words.

    >>> called("agree=0.3"), called("arithmetic-100"), called("lr=0.0001, size=650k"), called("centre")
    ('0.3 of wrong guesses agree', '100 possible answers', 'learning rate 0.0001, 650k parameters', 'the centre')
    """
    parts = [part.replace("arithmetic-", "arithmetic=").partition("=") for part in level.split(", ")]
    return ", ".join(NAMES.get(name, name).format(value) for name, _, value in parts)


def in_sentences(crossings: pd.DataFrame) -> list[str]:
    """A sentence for each level, the reference first, then those whose threshold lies elsewhere.

    Args:
        crossings: as `levels.crossings` gives them.

    >>> ends = {"x50": [0.2, 0.6], "low": [0.1, 0.5], "high": [0.3, 0.7], "runs": [9, 8], "apart": [False, True]}
    >>> beside = {"reference_x50": [0.2, 0.3], "reference_low": [0.1, 0.2], "reference_high": [0.3, 0.4]}
    >>> beside |= {"ratio": [1.0, 2.0], "ratio_low": [0.5, 1.3], "ratio_high": [2.0, 3.1]}
    >>> for line in in_sentences(pd.DataFrame({"level": ["centre", "agree=0.6"]} | ends | beside)):
    ...     print(line)
    **The centre**, 9 runs: half of the majority votes take off from an alignment of 0.20 [0.10, 0.30] on; other levels are compared with its runs of their own RL seeds, 0.30 [0.20, 0.40].
    **0.6 of wrong guesses agree**, 8 runs: from an alignment of 0.60 [0.50, 0.70] on, 2.00 [1.30, 3.10] times the centre's: above it.
    """
    if CENTRE not in set(crossings["level"]):
        return [f"The {CENTRE} of the map has not finished."]
    lines = []
    for row in in_order(crossings).itertuples():
        name, said = called(row.level), taking_off(row)
        if row.level == CENTRE:
            said += _beside(crossings, row)
        else:
            threshold = row.x50, row.low, row.high
            kind = kind_of(*threshold)
            said = where(*threshold) if kind == "from" else f"it is {ends(*threshold)}" if kind == "open" else said
            said = (
                _half_of(row) * (kind == "from") + said + ratio_of(row) + (": " if ratio_of(row) else ", the centre: ")
            )
            said += ("above it" if _is_above(row) else "below it") if row.apart else "not told apart"
        lines.append(f"**{name[:1].upper()}{name[1:]}**, {row.runs} runs: {said}.")
    return lines


def _half_of(row) -> str:
    """What is half way, where clearly fewer than all runs take off however strong alignment is."""
    top = getattr(row, "top", 1.0)
    return f"take-off is half way to its end, {top:.2f} of runs, " if top < NEARLY_ALL else ""


def ratio_of(row) -> str:
    """A level's x50 as a multiple of the reference's, where both were reached."""
    known = getattr(row, "ratio", float("nan"))
    return f", {Estimate(row.ratio, row.ratio_low, row.ratio_high)} times the centre's" if known == known else ""


def _is_above(row) -> bool:
    return row.ratio > 1 if row.ratio == row.ratio else row.low > row.reference_high


def in_order(crossings: pd.DataFrame) -> pd.DataFrame:
    """The reference first, then levels whose threshold lies elsewhere, then the others."""
    order = crossings["level"].ne(CENTRE) * (2 - crossings["apart"].astype(int))
    return crossings.loc[order.sort_values(kind="stable").index]


def _beside(table: pd.DataFrame, reference) -> str:
    """What levels are compared with, where they have fewer RL seeds than the reference."""
    columns = ["reference_x50", "reference_low", "reference_high"]
    found = table.loc[table["level"].ne(CENTRE), columns].drop_duplicates()
    others = [ends(*row) for row in found.itertuples(index=False) if row.reference_x50 != reference.x50]
    return f"; other levels are compared with its runs of their own RL seeds, {' or '.join(others)}" if others else ""
