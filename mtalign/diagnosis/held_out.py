"""How good the forecasts of `diagnose` are: every pair of the study is forecast by `forecast` itself, made anew without its task.

Thresholds, their intervals, how often they were right and the measured range are then of the other tasks alone, and the pair's
alignment has the interval that `diagnose` gives it. `python -m mtalign.diagnosis.held_out reports/study` writes `held_out.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mtalign.claims import thresholds
from mtalign.claims.verdicts import CLAIMS, THRESHOLD
from mtalign.config.grid import kept_grid, load_grid
from mtalign.diagnosis import measured
from mtalign.diagnosis.forecast import forecast
from mtalign.diagnosis.samples import Sampled, measure
from mtalign.records.store import Records
from mtalign.records.tables import grouped, guess_rates


def compute(folder: Path, claims: Iterable[str] = CLAIMS) -> dict[str, dict[str, dict]]:
    """The scores of forecasts from the records of a study: measure -> claim -> what `scored` gives, where it is known.

    Raises:
        ConfigError: the folder is not that of a study.
    """
    _, table, other, _ = thresholds.tables(folder)
    levels, pairs = _levels(folder), measured.compute(folder)["claims"]
    found = {}
    for name in thresholds.MEASURES:
        known = {
            task: thresholds.of_claims(table[table["task"] != task], other[other["task"] != task], name, claims)
            for task in sorted({task for _, task in levels})
        }
        each = {claim: scored(claim, name, pairs.get(claim, []), levels, known) for claim in claims}
        found[name] = {claim: scores for claim, scores in each.items() if scores}
    return found


def _levels(folder: Path) -> dict[tuple[str, str], dict]:
    """The alignment of each pair as `diagnose` measures it, from the record of the untrained model."""
    found = {}
    for pair, arms in grouped(load_grid(kept_grid(folder)).runs, Records(folder / "records")).items():
        for base in arms.get("base", [])[:1]:
            after = base["after"]
            both = zip(after["correct"], guess_rates(base), strict=True)
            found[pair] = measure([Sampled(after["num_samples"], int(c), guess=float(g)) for c, g in both], 0.0)
    return found


def scored(claim: str, name: str, pairs: list[dict], levels: dict, known: dict[str, dict]) -> dict[str, float] | None:
    """The scores of a claim's forecasts, each made from the other tasks.

    Args:
        name: of the measure that is compared.
        pairs: as `measured.rows` gives them.
        levels: (model, task) -> alignment, as `samples.measure` gives it.
        known: task -> thresholds that were made without it, as `thresholds.of_claims` gives them.

    Returns:
        `pairs` scored, and `unknown`, for which there was no forecast: too few pairs are left, or all lie elsewhere. `brier`, the
        mean squared error of the forecast probability (Brier 1950), and `base_brier`, that of always saying how often the
        claim held on the other tasks; `said`, the mean probability that was forecast, and `base_rate`, how often the claim
        held, which are equal where forecasts are calibrated in the large. A claim held where the mean share is above one half.
        None where there was no forecast at all.
    """
    rows = []
    for pair in pairs:
        others = [p for p in pairs if p["task"] != pair["task"]]
        level = levels[pair["model"], pair["task"]][name]
        made = forecast(CLAIMS[claim], name, level, others, known[pair["task"]].get(claim))
        if made.probability is not None:
            base = np.mean([p["share"] > THRESHOLD for p in others])
            rows.append((made.probability, base, pair["share"] > THRESHOLD))
    if not rows:
        return None
    said, base, held = np.array(rows, dtype=float).T
    scores = {"brier": np.mean((said - held) ** 2), "base_brier": np.mean((base - held) ** 2)}
    scores |= {"said": said.mean(), "base_rate": held.mean()}
    numbers = {"pairs": len(rows), "unknown": len(pairs) - len(rows)}
    return numbers | {key: round(float(value), 3) for key, value in scores.items()}


def main(folder: str) -> None:
    """Writes the file of the package again."""
    measured.SCORES.write_text(json.dumps(compute(Path(folder)), indent=1) + "\n", encoding="utf-8")
    print(f"{measured.SCORES.name}: written from {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
