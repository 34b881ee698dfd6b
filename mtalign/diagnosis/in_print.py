"""What published numbers say of a claim, in counts: so that a forecast never stands alone where print contradicts it.

The counts are those of the published record's cells (`claims.published_record`): a paper, model, task and signal, and whether more
than half of true labels' gain was recovered. `python -m mtalign.diagnosis.in_print` writes them again from `MTALIGN_DATA`.
Papers print what worked: a share in print is an upper bound of what to expect.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pandas as pd

from mtalign.claims import published_record
from mtalign.claims.published_record import CLAIM

FILE = Path(__file__).with_name("in_print.json")


def compute(cells: pd.DataFrame) -> dict[str, dict]:
    """Claim -> `cells`, `held`, `papers`, and `smallest` and `largest`, billions of parameters.

    Args:
        cells: as `published_record.cells` gives them.
    """
    found = {}
    for claim, own in cells.assign(claim=cells["method"].map(CLAIM)).groupby("claim"):
        row = {"cells": len(own), "held": int(own["holds"].sum()), "papers": own["paper"].nunique()}
        found[claim] = row | {"smallest": float(own["billions"].min()), "largest": float(own["billions"].max())}
    return found


@lru_cache
def load() -> dict[str, dict]:
    """The counts that the package ships."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def said(claim: str) -> str:
    """What is in print of a claim, in words; "" where nothing is.

    >>> said("standard_rl")
    ''
    """
    found = load().get(claim)
    if not found:
        return ""
    sizes = " to ".join(dict.fromkeys(f"{found[end]:g}" for end in ("smallest", "largest")))
    papers = f"{found['papers']} paper{'s' * (found['papers'] != 1)}"
    return f"in print it held in {found['held']} of {found['cells']} ({papers}, {sizes} billion parameters)"


def main() -> None:
    cells = published_record.cells(published_record.read())
    FILE.write_text(json.dumps(compute(cells), indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name}: written from {published_record.FILE}")


if __name__ == "__main__":
    main()
