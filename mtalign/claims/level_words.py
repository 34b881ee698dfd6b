"""Where half of the majority votes take off at each level of the map, in words."""

from __future__ import annotations

import pandas as pd

from mtalign.claims.dose_words import INFINITY, ends, half_of, kind_of, taking_off, where
from mtalign.claims.level_errors import LEAST_SEEDS
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
        crossings: as `level_thresholds.crossings` gives them.

    >>> ends = {"x50": [0.2, 0.6], "low": [0.1, 0.5], "high": [0.3, 0.7], "runs": [9, 8], "seeds": 4, "apart": [False, True]}
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
        name = called(row.level)
        said = taking_off(row) + _others(crossings, row) if row.level == CENTRE else _beside_the_centre(row)
        lines.append(f"**{name[:1].upper()}{name[1:]}**, {row.runs} runs: {said}.")
    return lines


def _beside_the_centre(row) -> str:
    """A level's threshold, and whether it is told apart from the centre's."""
    if row.x50 != row.x50:
        return taking_off(row)
    threshold = row.x50, row.low, row.high
    kind = kind_of(*threshold)
    said = half_of(getattr(row, "top", 1.0)) + where(*threshold) if kind == "from" else taking_off(row)
    if kind == "open":
        said = f"it is {ends(*threshold)}"
    if row.reference_x50 != row.reference_x50:
        return f"{said}; the centre has no threshold at its RL seeds"
    known = row.ratio == row.ratio
    if known:
        said += f", {times(row.ratio, row.ratio_low, row.ratio_high)} the centre's"
    else:
        said += f"; the centre's is {ends(row.reference_x50, row.reference_low, row.reference_high)}"
    if row.apart:
        return f"{said}: {'above' if row.ratio_low > 1 else 'below'} it"
    seeds = "1 RL seed is" if row.seeds == 1 else f"{row.seeds} RL seeds are"
    few = f", for which {seeds} too few" if row.seeds < LEAST_SEEDS else ""
    return f"{said}: not told apart{few}"


def times(ratio: float, low: float, high: float) -> str:
    """How many times one threshold is another, with an interval that may be open.

    >>> times(2.0, 1.3, 3.1), times(1.7, 1.02, float("inf"))
    ('2.00 [1.30, 3.10] times', '1.70 times (at least 1.02)')
    >>> times(0.5, 0.0, 0.9), times(0.5, 0.0, float("inf"))
    ('0.50 times (at most 0.90)', '0.50 times (with an interval that is open)')
    """
    if low > 0 and high < INFINITY:
        return f"{Estimate(ratio, low, high)} times"
    open_ended = f"at least {low:.2f}" if low > 0 else f"at most {high:.2f}" if high < INFINITY else ""
    return f"{ratio:.2f} times ({open_ended or 'with an interval that is open'})"


def in_order(crossings: pd.DataFrame) -> pd.DataFrame:
    """The reference first, then levels whose threshold lies elsewhere, then the others."""
    order = crossings["level"].ne(CENTRE) * (2 - crossings["apart"].astype(int))
    return crossings.loc[order.sort_values(kind="stable").index]


def _others(table: pd.DataFrame, reference) -> str:
    """What levels are compared with, where they have fewer RL seeds than the reference."""
    columns = ["reference_x50", "reference_low", "reference_high"]
    found = table.loc[table["level"].ne(CENTRE), columns].dropna().drop_duplicates()
    others = [ends(*row) for row in found.itertuples(index=False) if row.reference_x50 != reference.x50]
    return f"; other levels are compared with its runs of their own RL seeds, {' or '.join(others)}" if others else ""
