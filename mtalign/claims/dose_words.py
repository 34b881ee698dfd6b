"""Where a claim flips and where half of the runs take off, in words that know no infinity."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

INFINITY = float("inf")


SURELY = "with 95% confidence"


def in_words(flip: pd.Series, recovers: str = "recovers half ") -> str:
    """A row of `dose_response.flips` as the title of a picture.

    >>> in_words(pd.Series({"flip": 0.2, "low": 0.1, "high": 0.3}))
    'recovers half from an alignment of 0.20 [0.10, 0.30] on'
    """
    words = {
        "from": f"from an alignment of {flip['flip']:.2f} [{flip['low']:.2f}, {flip['high']:.2f}] on",
        "nearly": f"at nearly every alignment, {SURELY} from {flip['high']:.2f} on",
        "hardly": f"at no alignment, {SURELY} up to {flip['low']:.2f}",
        "everywhere": "at every alignment",
        "nowhere": "at no alignment",
        "open": "from an alignment that is not settled",
    }
    return recovers + words[kind_of(flip)]


def taking_off(row: Any) -> str:
    """From which alignment on half of the majority votes take off: of a row or a `Crossing` with x50, low and high.

    >>> from types import SimpleNamespace
    >>> taking_off(SimpleNamespace(x50=0.2, low=0.1, high=0.3))
    'half of the majority votes take off from an alignment of 0.20 [0.10, 0.30] on'
    >>> taking_off(SimpleNamespace(x50=float("nan"), low=float("nan"), high=float("nan")))
    'no checkpoint could be tested'
    """
    if row.x50 != row.x50:
        return "no checkpoint could be tested"
    kind = kind_of(SimpleNamespace(flip=row.x50, low=row.low, high=row.high))
    words = {
        "from": f"from an alignment of {row.x50:.2f} [{row.low:.2f}, {row.high:.2f}] on",
        "nearly": f"at nearly every alignment, {SURELY} from {row.high:.2f} on",
        "hardly": f"at no alignment that was measured, {SURELY} up to {row.low:.2f}",
        "everywhere": "at every alignment that was measured",
        "nowhere": "at no alignment that was measured",
    }
    if kind == "open":
        return "it is not settled from which alignment on half of the majority votes take off"
    return f"half of the majority votes take off {words[kind]}"


def kind_of(row: Any) -> str:
    """What the interval of a flip says: `from` an alignment on, `everywhere`, `nearly` so, `nowhere`, `hardly` anywhere, or
    `open`.

    >>> from types import SimpleNamespace
    >>> kind_of(SimpleNamespace(flip=0.2, low=0.1, high=0.3)), kind_of(SimpleNamespace(flip=9e999, low=9e999, high=9e999))
    ('from', 'nowhere')
    """
    if row.low == row.high:
        return "everywhere" if row.low == -INFINITY else "nowhere" if row.low == INFINITY else "from"
    if row.low > -INFINITY and row.high < INFINITY:
        return "from"
    if row.flip == -INFINITY and row.high < INFINITY:
        return "nearly"
    return "hardly" if row.flip == INFINITY and row.low > -INFINITY else "open"
