"""Verdicts in the reader's words: for each word of `claims.verdicts` one row here, which pages, pictures and sentences share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


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
    "inconclusive": Word("inconclusive", "?", "undecided", "its interval contains one half"),
    "not testable": Word("untested", "\N{EN DASH}", "not applicable", "nothing to recover, or no reward that differs"),
    "missing": Word("missing", "!", "missing", "a run has failed or is not there"),
}
PALE = "not confirmed after Holm's correction for the number of tests"


def key(rows: Iterable[Any]) -> list[Word]:
    """What a reader of these rows needs explained: every word of a verdict, and that runs are missing only where some are.

    >>> from types import SimpleNamespace
    >>> [word.sign for word in key([SimpleNamespace(raw="holds"), SimpleNamespace(raw="missing")])][-1]
    '!'
    """
    hides = all(row.raw != "missing" for row in rows)
    return [shown for name, shown in WORDS.items() if name != "missing" or not hides]


def stands(row: Any) -> bool:
    """Whether the verdict is conclusive, after Holm's correction over all tests."""
    return row.verdict in ("holds", "fails")


def pale(row: Any) -> bool:
    """Whether the verdict was conclusive by its own interval, and is not after Holm's correction."""
    return row.raw in ("holds", "fails") and not stands(row)


def word(row: Any) -> Word:
    """How the row's verdict is shown: the one before the correction, which `pale` takes back."""
    return WORDS[row.raw]


def said(row: Any) -> str:
    """The verdict in words, with what Holm's correction does to it.

    >>> from types import SimpleNamespace
    >>> said(SimpleNamespace(verdict="inconclusive", raw="holds"))
    "holds (not confirmed after Holm's correction for the number of tests)"
    """
    return word(row).word + (f" ({PALE})" if pale(row) else "")


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


def in_strong(line: str) -> list[tuple[str, bool]]:
    """A line of markdown as (words, whether they are strong).

    >>> in_strong("**Four**, 8 runs")
    [('Four', True), (', 8 runs', False)]
    """
    return [(part, bool(place % 2)) for place, part in enumerate(line.split("**")) if part]
