"""Measured pairs: where each (model, task) of the study lies, as `diagnose` shows and compares them.

The small file `measured.json` holds, for each claim, the alignment of every pair and the share that the arm recovered there.
`python -m mtalign.diagnosis.measured reports/study` writes it again from the study's records.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from mtalign.claims.dose_response import crossing, measures, shares
from mtalign.claims.thresholds import MEASURES
from mtalign.claims.verdicts import CLAIMS, THRESHOLD
from mtalign.config.errors import ConfigError
from mtalign.config.grid import kept_grid, load_grid
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped
from mtalign.stats import recovered

FILE = Path(__file__).with_name("measured.json")
SCORES = FILE.with_name("held_out.json")


def compute(folder: Path) -> dict:
    """The measured pairs of a study, from its records.

    Returns:
        `study` (its name) and `claims`: claim -> a list of points, each with `model`, `task`, the two `MEASURES` of the
        untrained model and `share`: what the arm recovers of standard RL's gain; for `standard_rl`, what it gains of what
        is left to gain. A pair counts once for a claim, in the first block that has it.

    Raises:
        ConfigError: the folder is not that of a study, or holds no finished pair.
    """
    grid, store = load_grid(kept_grid(folder)), Records(folder / "records")
    by_arm = {claim.arm: name for name, claim in CLAIMS.items()}
    points: dict[str, dict[tuple[str, str], dict]] = {name: {} for name in CLAIMS}
    for block in grid.blocks.values():
        for pair, arms in grouped(block.runs, store).items():
            arms = complete_arms(arms)
            if "base" in arms and "standard" in arms:
                base, standard = accuracies(arms["base"]).mean(), accuracies(arms["standard"]).mean()
                share = float(recovered(np.array(standard), np.array(1.0), np.array(base)))
                points["standard_rl"].setdefault(pair, _point(pair, measures(arms["base"][0]), share))
        for row in shares(block.runs, store).to_dict("records"):
            pair = (row["model"], row["task"])
            if row["arm"] in by_arm:
                points[by_arm[row["arm"]]].setdefault(pair, _point(pair, row, float(row["value"])))
    if not points["standard_rl"]:
        raise ConfigError(f"{folder}: has no pair whose standard runs are finished")
    return {"study": grid.name, "claims": {name: list(found.values()) for name, found in points.items() if found}}


def _point(pair: tuple[str, str], found: dict, share: float) -> dict:
    levels = {name: round(float(np.squeeze(found[name])), 3) for name in MEASURES}
    return {"model": pair[0], "task": pair[1], **levels, "share": round(share, 3)}


@lru_cache
def load() -> dict:
    """The measured pairs that the package ships."""
    return json.loads(FILE.read_text(encoding="utf-8"))


@lru_cache
def scores() -> dict:
    """How good forecasts are on tasks that they were made without, as the package ships it (`held_out.compute`)."""
    return json.loads(SCORES.read_text(encoding="utf-8"))


def rows(claim: str) -> list[dict]:
    """The measured pairs of a claim, as `compute` gives them; empty where none was measured."""
    return load()["claims"].get(claim, [])


def points(claim: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Alignment and share of each measured pair of a claim: two arrays (pairs,), empty where none was measured.

    >>> level, share = points("standard_rl", "chance-corrected pass@4")
    >>> bool(share[level < 0.03].max() < 0.1)  # without any alignment standard RL gains nothing
    True
    """
    return np.array([p[measure] for p in rows(claim)]), np.array([p["share"] for p in rows(claim)])


def flip(pairs: list[dict], measure: str) -> dict:
    """Where a claim flips by its measured pairs alone: for `standard_rl`, which has no flip in `claims.thresholds`.

    Args:
        pairs: as `rows` gives them.

    Returns:
        `flip`, `low` and `high`, the neighbouring pairs between which it lies; `pairs` and `right`,
        of how many the flip found without their task says what happened.
    """
    level, share = np.array([p[measure] for p in pairs]), np.array([p["share"] for p in pairs])
    tasks = np.array([p["task"] for p in pairs])
    found = crossing(level, share)
    below, above = level[level <= found], level[level > found]
    low = float(below.max()) if below.size else -np.inf
    high = float(above.min()) if above.size else np.inf
    right = 0
    for task in np.unique(tasks):
        own = tasks == task
        known = own if own.all() else ~own
        side = level[own] > crossing(level[known], share[known])
        right += int((side == (share[own] > THRESHOLD)).sum())
    return {"flip": found, "low": low, "high": high, "pairs": len(level), "right": right}


def main(folder: str) -> None:
    """Writes the file of the package again."""
    FILE.write_text(json.dumps(compute(Path(folder)), indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name}: written from {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
