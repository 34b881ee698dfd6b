"""Where a claim flips and where half of the runs take off, in words that know no infinity."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mtalign.stats import Estimate

INFINITY = float("inf")


NEARLY_ALL = 0.95  # of runs: where fewer take off however strong alignment is, half of *these* is not half of the runs
SURELY = "with 95% confidence"


def in_words(flip: pd.Series, recovers: str = "recovers half ") -> str:
    """A row of `dose_response.flips` as the title of a picture.

    >>> in_words(pd.Series({"flip": 0.2, "low": 0.1, "high": 0.3}))
    'recovers half from an alignment of 0.20 [0.10, 0.30] on'
    """
    return recovers + (where(flip["flip"], flip["low"], flip["high"]) or "from an alignment that is not settled")


def taking_off(row: Any) -> str:
    """From which alignment on half of the majority votes take off: of a row or a `Crossing` with x50, low and high.

    >>> from types import SimpleNamespace
    >>> taking_off(SimpleNamespace(x50=0.2, low=0.1, high=0.3))
    'half of the majority votes take off from an alignment of 0.20 [0.10, 0.30] on'
    >>> taking_off(SimpleNamespace(x50=float("nan"), low=float("nan"), high=float("nan")))
    'no checkpoint could be tested'
    >>> taking_off(SimpleNamespace(x50=0.2, low=0.1, high=0.3, top=0.8))
    'at most 0.80 of runs take off, half of that from an alignment of 0.20 [0.10, 0.30] on'
    """
    if row.x50 != row.x50:
        return "no checkpoint could be tested"
    at, top = where(row.x50, row.low, row.high, " that was measured"), getattr(row, "top", 1.0)
    if at and abs(row.x50) < INFINITY and half_of(top):
        return half_of(top) + at
    if at:
        return f"half of the majority votes take off {at}"
    return "it is not settled from which alignment on half of the majority votes take off"


def half_of(top: float) -> str:
    """What is half way up, where clearly fewer than all runs take off however strong alignment is; else nothing.

    >>> half_of(0.8), half_of(0.99)
    ('at most 0.80 of runs take off, half of that ', '')
    """
    return f"at most {top:.2f} of runs take off, half of that " if top < NEARLY_ALL else ""


def where(value: float, low: float, high: float, measured: str = "") -> str:
    """At which alignments; nothing where the interval leaves that open."""
    return {
        "from": f"from an alignment of {Estimate(value, low, high)} on",
        "nearly": f"at nearly every alignment, {SURELY} from {high:.2f} on",
        "hardly": f"at no alignment{measured}, {SURELY} up to {low:.2f}",
        "everywhere": f"at every alignment{measured}",
        "nowhere": f"at no alignment{measured}",
        "open": "",
    }[kind_of(value, low, high)]


def ends(value: float, low: float, high: float) -> str:
    """A threshold with its interval, where it is open too.

    >>> ends(0.2, 0.1, 0.3), ends(INFINITY, 0.4, INFINITY), ends(INFINITY, INFINITY, INFINITY)
    ('0.20 [0.10, 0.30]', 'above 0.40', 'above all that were measured')
    >>> ends(0.4, 0.25, INFINITY), ends(-INFINITY, -INFINITY, 0.1), ends(float("nan"), float("nan"), float("nan"))
    ('above 0.25', 'below 0.10', 'not testable')
    """
    if value != value:
        return "not testable"
    kind = kind_of(value, low, high)
    if kind in ("everywhere", "nowhere"):
        return f"{'below' if kind == 'everywhere' else 'above'} all that were measured"
    if kind == "from":
        return str(Estimate(value, low, high))
    return f"above {low:.2f}" if low > -INFINITY else f"below {high:.2f}" if high < INFINITY else "not settled"


def kind_of(value: float, low: float, high: float) -> str:
    """What a threshold and its interval say: `from` an alignment on, `everywhere`, `nearly` so, `nowhere`, `hardly` anywhere,
    or `open`.

    >>> kind_of(0.2, 0.1, 0.3), kind_of(INFINITY, INFINITY, INFINITY), kind_of(INFINITY, 0.4, INFINITY)
    ('from', 'nowhere', 'hardly')
    """
    if low == high:
        return "everywhere" if low == -INFINITY else "nowhere" if low == INFINITY else "from"
    if low > -INFINITY and high < INFINITY:
        return "from"
    if value == -INFINITY and high < INFINITY:
        return "nearly"
    return "hardly" if value == INFINITY and low > -INFINITY else "open"
