"""Verdicts in the reader's words: for each word of `claims.verdicts` one row here, which pages, pictures and sentences share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEVEL = 0.05  # family-wise, of Holm's correction


@dataclass(frozen=True)
class Word:
    """How a verdict is shown: a class of `style.css`, a sign that needs no colour, the word, and what it means."""

    css: str
    sign: str
    word: str
    meaning: str


WORDS = {
    "holds": Word("holds", "\N{HEAVY CHECK MARK}", "holds", "recovers more than half of standard RL's gain"),
    "fails": Word("fails", "\N{MULTIPLICATION X}", "fails", "recovers less than half of standard RL's gain"),
    "inconclusive": Word("inconclusive", "?", "inconclusive", "its interval contains one half"),
    "not testable": Word("untested", "\N{EN DASH}", "not applicable", "nothing to recover, or no reward that differs"),
    "missing": Word("missing", "!", "missing", "a run has failed or is not there"),
}
PALE = "not confirmed after Holm's correction for the number of tests"


def raw(row: Any) -> str:
    """The verdict of a row of `claims.verdicts` by its own interval, before any correction."""
    found = getattr(row, "raw", row.verdict)
    nothing_to_recover = found == "inconclusive" and row.p_value == 1.0 and row.recovered.low <= row.recovered.high
    return "not testable" if nothing_to_recover and row.claim != "standard_rl" and not hasattr(row, "raw") else found


def stands(row: Any) -> bool:
    """Whether the verdict is conclusive, and is so after Holm's correction over all tests."""
    return raw(row) in ("holds", "fails") and row.holm <= LEVEL


def word(row: Any) -> Word:
    """How the row's verdict is shown."""
    return WORDS[raw(row)]


def said(row: Any) -> str:
    """The verdict in words, with what Holm's correction does to it.

    >>> from types import SimpleNamespace
    >>> said(SimpleNamespace(verdict="inconclusive", raw="holds", holm=0.2))
    "holds (not confirmed after Holm's correction for the number of tests)"
    """
    pale = raw(row) in ("holds", "fails") and not stands(row)
    return word(row).word + (f" ({PALE})" if pale else "")


def joined(names: list[str], last: str = "and") -> str:
    """Names in a row, as people write them.

    >>> joined(["a"]), joined(["a", "b", "c"], "or")
    ('a', 'a, b or c')
    """
    return f" {last} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def count(number: int, name: str) -> str:
    """A number with its noun.

    >>> count(1, "seed"), count(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {name}{'s' * (number != 1)}"
