"""Where a claim flips, in words that know no infinity."""

from __future__ import annotations

from typing import Any

import pandas as pd

INFINITY = float("inf")


def in_words(flip: pd.Series) -> str:
    """A row of `dose_response.flips` as the title of a picture.

    >>> in_words(pd.Series({"flip": 0.2, "low": 0.1, "high": 0.3}))
    'recovers half from an alignment of 0.20 [0.10, 0.30] on'
    """
    kind = kind_of(flip)
    if kind == "from":
        return f"recovers half from an alignment of {flip['flip']:.2f} [{flip['low']:.2f}, {flip['high']:.2f}] on"
    if kind == "nearly":
        return f"recovers half at nearly every alignment, surely from {flip['high']:.2f} on"
    if kind == "hardly":
        return f"recovers half at no alignment, surely not up to {flip['low']:.2f}"
    words = {"everywhere": "recovers half at every alignment", "nowhere": "recovers half at no alignment"}
    return words.get(kind, "recovers half from an alignment that is not settled")


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
