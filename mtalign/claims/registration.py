"""What was registered before the deciding experiment: the micro study's threshold, and what the design can decide.

`python -m mtalign.claims.registration reports/study` writes `registered.json` again from the study's records; with `gate`
before the folder of the pilot it says whether the deciding experiment may start, exit status 1 where not; with `design` before
that of an earlier study of pretrained models it prints what this design can decide.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from mtalign.claims import decide
from mtalign.claims.decide_part import ARMS
from mtalign.claims.mixed_logit import crossing
from mtalign.claims.take_off import HALF, rate
from mtalign.config.grid import kept_grid, load_grid
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped

SHARP = 0.1  # by how much greedy accuracy may exceed sampled accuracy, lest sharpening look like learning


def register(folder: Path) -> dict:
    """The micro study's x50 of the majority vote with its interval, from the records of a study's first block of doses.

    Args:
        folder: of `mtalign study`, with a grid file and `records`.
    """
    grid, records = load_grid(kept_grid(folder)), Records(folder / "records")
    runs = [run for run in grid.blocks["ladder"].runs if run.arm in ARMS]
    table = decide.outcomes(runs, records)
    these = table[(table["arm"] == decide.ARM) & table["testable"]]
    found = crossing(these["alignment"], these["taken"], these["runs"], these["model"])
    values = {key: round(getattr(found, key), 4) for key in ("x50", "low", "high")}
    return {"study": folder.name, "arm": decide.ARM, "measure": "alignment", **values} | {
        "runs": found.runs, "pairs": found.pairs, "checkpoints": found.checkpoints
    }  # fmt: skip


def power(
    alignment: list[float], x50: float, slope: float, spread: float, registered: float, runs: int = 3, repeats: int = 40
) -> dict[decide.Outcome, float]:
    """How often the primary rule would say what, were that the truth: the share of simulated experiments.

    Args:
        alignment: of each checkpoint of one task.
        x50, slope, spread: of the mixed logit that outcomes are drawn from; slope in log-odds for one unit of alignment.
        registered: the micro study's x50.
        runs: nested in each checkpoint.
        repeats: experiments, each with its own generator, seeded 0, 1, ...
    """
    said: Counter = Counter()
    names = [str(i) for i in range(len(alignment))]
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        log_odds = slope * (np.array(alignment) - x50) + spread * rng.standard_normal(len(alignment))
        taken = rng.binomial(runs, 1 / (1 + np.exp(-log_odds)))
        said[decide.transfers(crossing(alignment, taken.tolist(), [runs] * len(alignment), names), registered)] += 1
    return {outcome: said[outcome] / repeats for outcome in ("transfers", "does not transfer", "undecided")}


def design(repeats: int = 16) -> list[dict]:
    """Power of the planned design, before its runs: what the primary rule says where the truth is one of five.

    Checkpoints lie at 1/8, 1/3, 1, 2 and 4 times the registered x50, four each, up to a fifth around it. A steep slope takes
    P(take-off) from 0.1 to 0.9 within 0.07 of alignment, a shallow one within 0.22; a spread of 1 is that between
    checkpoints, in log-odds.
    """
    known = decide.registered()
    rng = np.random.default_rng(0)
    alignment = [known * at * rng.uniform(0.8, 1.2) for at in (1 / 8, 1 / 3, 1, 2, 4) for _ in range(4)]
    found = []
    for times, slope, spread in ((1, 60.0, 0.0), (1, 20.0, 1.0), (1.5, 60.0, 1.0), (3.5, 60.0, 0.0), (3.5, 20.0, 1.0)):
        said = power(alignment, known * times, slope, spread, known, repeats=repeats)
        found.append({"x50 / registered": times, "slope": slope, "spread": spread, "repeats": repeats, **said})
    return found


def needed(runs: int = 12) -> int:
    """How many of a cell's runs must take off for the exact interval of P(take-off) to lie above one half.

    >>> needed(12), needed(3)
    (10, 4)
    """
    return next((k for k in range(runs + 1) if rate(k, runs).low > HALF), runs + 1)


def detectable(folder: Path, runs: int = 12) -> pd.DataFrame:
    """The difference in accuracy from standard RL that a cell finds 8 times in 10, for each arm of an earlier study.

    From the standard deviation between seeds there, pooled over pairs, as if all runs of a cell were independent: nested in
    four checkpoints they are not, so that it is the least that can be found.
    """
    grid, records = load_grid(kept_grid(folder)), Records(folder / "records")
    variances: dict[str, list[float]] = {}
    for arms in grouped(grid.runs, records).values():
        for arm, these in complete_arms(arms).items():
            if len(these) > 1:
                variances.setdefault(arm, []).append(float(accuracies(these).mean(axis=1).var(ddof=1)))
    spread = {arm: float(np.sqrt(np.mean(values))) for arm, values in variances.items()}
    both = {arm: np.hypot(value, spread["standard"]) / np.sqrt(runs) for arm, value in spread.items()}
    least = {arm: float((norm.ppf(0.975) + norm.ppf(0.8)) * value) for arm, value in both.items()}
    return pd.DataFrame({"spread between seeds": spread, "least difference found": least})


def gate(table: pd.DataFrame) -> dict[str, bool]:
    """The registered gate, by task: whether the deciding arms may run, judged on untrained models and standard RL alone.

    Args:
        table: as `decide.outcomes` gives it for the pilot, the arm `standard` alone.

    Returns:
        For each task whether `low` (the lowest dose lies below the registered x50), `high` (the highest at twice it or
        above), `learns` (standard RL gains at least 0.10 at four doses or more) and, of tasks whose questions list options,
        `sharp` (greedy accuracy below sampled + 0.1 at doses up to 0.5) hold.
    """
    found = {}
    for task, these in table[table["arm"] == "standard"].groupby("task", sort=False):
        these = these.sort_values("dose")
        up_to_half = these[these["dose"] <= 0.5]
        found |= {
            f"low {task}": bool(these["alignment"].iloc[0] < decide.registered()),
            f"high {task}": bool(these["alignment"].iloc[-1] >= decide.FACTOR * decide.registered()),
            f"learns {task}": bool(these["testable"].sum() >= 4),
        }
        if these["options"].all():
            found[f"sharp {task}"] = bool((up_to_half["greedy"] < up_to_half["accuracy"] + SHARP).all())
    return found


def pilot(folder: Path) -> dict[str, bool]:
    """The gate on the records of the pilot; False, too, where a run is missing."""
    grid, records = load_grid(kept_grid(folder)), Records(folder / "records")
    whole = {"whole": all(records.finished(run) for run in grid.runs)}
    return whole | (gate(decide.outcomes(grid.runs, records)) if whole["whole"] else {})


def main(arguments: list[str]) -> int:
    match arguments:
        case ["gate", folder]:
            found = pilot(Path(folder))
            print("\n".join(f"{'met' if met else 'NOT MET'}: {name}" for name, met in found.items()))
            return int(not all(found.values()))
        case ["design", folder]:
            print(f"{needed()} of 12 runs must take off for P(take-off) above one half")
            print(detectable(Path(folder)).round(3).to_string())
            print(pd.DataFrame(design()).to_string(index=False))
        case [folder]:
            decide.REGISTERED.write_text(json.dumps(register(Path(folder)), indent=1) + "\n", encoding="utf-8")
        case _:
            raise SystemExit("usage: python -m mtalign.claims.registration [gate | design] FOLDER")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
