"""Thresholds: the alignment at which each claim flips in the study, kept in the small file `thresholds.json`.

`python -m mtalign.claims.thresholds reports/study` writes the file again from the study's records, by `dose_response.flips`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mtalign.claims import dose_response, mixed_logit
from mtalign.claims.verdicts import CLAIMS
from mtalign.config.errors import ConfigError
from mtalign.config.grid import kept_grid, load_grid
from mtalign.records.store import Records
from mtalign.records.tables import complete_arms, grouped

FILE = Path(__file__).with_name("thresholds.json")
MEASURES = {"chance-corrected pass@4": 4, "chance-corrected pass@1": 1}  # -> k
EVERYWHERE, NOWHERE = -1.0, 2.0  # stand for -inf and inf: below and above what can be measured
SMALLEST = 4  # pairs on which a threshold can rest


def compute(folder: Path) -> dict:
    """The thresholds from the records of a study.

    Args:
        folder: of `mtalign study`, with a grid file and `records`.

    Returns:
        `study` (its name), `standard` (in how many pairs standard RL gained anything, `right`, of how many), `pairs`
        (those in which it did, on which all else rests), and for each measure and claim:
        `flip` with `low` and `high` (95%): where half of the runs take off (`mixed_logit`); the number of `pairs`, and
        of these `right`: on which side of the flip found without their task each of them lies is what happened to most
        of its runs; `same`: how many would be right if all pairs were said to do what most do; `took_off` of `runs`;
        `other_pairs` and `other_right` are as `right` for pairs of other blocks (free answers, other formats), of which
        the flip knows nothing.

    Raises:
        ConfigError: the folder is not that of a study.
    """
    name, table, other, finished = tables(folder)
    standard = {"pairs": len(finished), "right": sum(finished.values())}
    named = table[table["arm"].isin(claim.arm for claim in CLAIMS.values())]
    named = named[named.groupby("arm")["model"].transform("size") >= SMALLEST]
    pairs = sorted({f"{model}, {task}" for model, task in zip(named["model"], named["task"], strict=True)})
    measures = {measure: of_claims(table, other, measure) for measure in MEASURES}
    return {"study": name, "standard": standard, "pairs": pairs, "measures": measures}


def tables(folder: Path) -> tuple[str, pd.DataFrame, pd.DataFrame, dict[tuple[str, str], bool]]:
    """What thresholds are made from.

    Returns:
        The study's name; the pairs of each arm as `dose_response.shares` has them, in the first block that has the arm;
        those in other blocks; and each finished pair with whether standard RL gained anything there.

    Raises:
        ConfigError: the folder is not that of a study.
    """
    grid, store = load_grid(kept_grid(folder)), Records(folder / "records")
    tables: list[pd.DataFrame] = []
    others: list[pd.DataFrame] = []
    seen: set[str] = set()  # arms: one rests on the first block that has it, as in that block's notebook
    finished: dict[tuple[str, str], bool] = {}  # pair -> whether standard RL gained anything
    for block in grid.blocks.values():
        found = dose_response.shares(block.runs, store)
        gained = set() if found.empty else set(zip(found["model"], found["task"], strict=True))
        for pair, arms in grouped(block.runs, store).items():
            if {"base", "standard"} <= set(complete_arms(arms)):
                finished[pair] = finished.get(pair, False) or pair in gained
        if not found.empty:
            known = found["arm"].isin(seen)
            tables.append(found[~known])
            others.append(found[known])
            seen |= set(found["arm"])
    if not tables:
        raise ConfigError(f"{folder}: standard RL gained nothing in any pair, so that there are no thresholds")
    return grid.name, pd.concat(tables, ignore_index=True), pd.concat(others, ignore_index=True), finished


def of_claims(
    table: pd.DataFrame, other: pd.DataFrame, measure: str, claims: Iterable[str] = CLAIMS
) -> dict[str, dict]:
    """The thresholds by claim, as `compute` describes them, of the claims that have `SMALLEST` pairs.

    Args:
        table, other: as `tables` gives them, or parts of them.
    """
    found = {}
    for name in claims:
        claim = CLAIMS[name]
        these = table[table["arm"] == claim.arm]
        if len(these) < SMALLEST:
            continue
        x50 = mixed_logit.crossing(*(these[c].tolist() for c in (measure, "took_off", "runs", "model")))
        ends = {"flip": x50.x50, "low": x50.low, "high": x50.high}
        flip = {key: round(float(np.clip(value, EVERYWHERE, NOWHERE)), 3) for key, value in ends.items()}
        most = int(_take_off(these).sum())
        own = set(zip(these["model"], these["task"], strict=True))
        foreign = np.array([pair not in own for pair in zip(other["model"], other["task"], strict=True)], dtype=bool)
        outside = other[(other["arm"] == claim.arm) & foreign]
        found[name] = flip | {
            "pairs": len(these),
            "right": _right(these, measure),
            "same": max(most, len(these) - most),
            "took_off": int(these["took_off"].sum()),
            "runs": int(these["runs"].sum()),
            "other_pairs": len(outside),
            "other_right": _agree(outside, measure, x50.x50),
        }
    return found


def _right(table: pd.DataFrame, measure: str) -> int:
    """How many pairs lie on the right side of the flip found on the other tasks; of their own task, with one task."""
    right = 0
    for task in table["task"].unique():
        own = table["task"] == task
        known = table[~own] if not own.all() else table
        found = mixed_logit.crossing(*(known[c].tolist() for c in (measure, "took_off", "runs", "model")))
        right += _agree(table[own], measure, found.x50)
    return right


def _agree(table: pd.DataFrame, measure: str, flip: float) -> int:
    """In how many pairs most runs take off above the flip, or do not below it."""
    return int(((table[measure] > flip) == _take_off(table)).sum())


def _take_off(table: pd.DataFrame) -> pd.Series:
    """Whether most runs of each pair take off."""
    return table["took_off"] > table["runs"] / 2


@lru_cache
def load() -> dict:
    """The thresholds that the package ships."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def main(folder: str) -> None:
    FILE.write_text(json.dumps(compute(Path(folder)), indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name}: written from {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
