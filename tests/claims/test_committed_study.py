"""The committed study's verdicts, computed again from its records with code that shares nothing with the library's.

The bootstrap here draws prompts one table at a time and seeds from a bivariate t; the library's draws weights.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from mtalign.claims.verdicts import CLAIMS
from mtalign.notebook.pages import grid_of
from mtalign.records.store import Records
from mtalign.report.index import verdict_tables

STUDY = Path(__file__).parents[2] / "reports/study"
DRAWS = 4000
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not STUDY.is_dir(), reason="the committed study is not here")]


def accuracies():
    """(model, task, arm) -> seed -> accuracy per prompt (P,)."""
    found = defaultdict(dict)
    for path in (STUDY / "records").glob("*.json"):
        record = json.loads(path.read_text())
        config, after = record["config"], record["after"]
        key = config["model"], config["task"], config["arm"]
        assert config["seed"] not in found[key], f"{path.name}: two settings under one name of an arm"
        found[key][config["seed"]] = np.array(after["correct"]) / after["num_samples"]
    return found


def share(arm, standard, base, rng):
    """The recovered share with its interval, and the lower end of standard RL's gain: arrays (S, P), (S, P), (P,)."""
    seeds, prompts = arm.shape
    chosen = rng.integers(prompts, size=(DRAWS, prompts))
    means = np.stack([arm[:, chosen].mean(2), standard[:, chosen].mean(2)])  # (2, S, DRAWS)
    centre = means.mean(1)  # (2, DRAWS)
    for draw in range(DRAWS):
        covariance = np.cov(means[:, :, draw]) / seeds
        t = rng.multivariate_normal([0, 0], covariance, method="eigh") / np.sqrt(rng.chisquare(seeds - 1) / (seeds - 1))
        centre[:, draw] = np.clip(centre[:, draw] + t, 0, 1)
    gains = centre - base[chosen].mean(1)
    low, high = np.percentile(gains[0] / np.maximum(gains[1], 0.01), [2.5, 97.5])
    value = (arm.mean() - base.mean()) / max(standard.mean() - base.mean(), 0.01)
    return value, low, high, np.percentile(gains[1], 2.5)


def verdict(low, high, gain):
    return "inconclusive" if gain <= 0.01 else "holds" if low > 0.5 else "fails" if high < 0.5 else "inconclusive"


def test_verdicts_are_what_the_records_give_by_other_code():
    found, rng, seen = accuracies(), np.random.default_rng(20251123), {}
    grid = grid_of(STUDY)
    for table in verdict_tables(grid, Records(STUDY / "records")):
        for (pair, claim), row in table["cells"].items():
            if claim != "standard_rl":
                seen[*pair, claim] = row
    different = []
    for (model, task, claim), row in seen.items():
        arm, standard = found[model, task, CLAIMS[claim].arm], found[model, task, "standard"]
        seeds = sorted(arm)[: int(row.seeds)]
        arm, standard = (np.array([runs[seed] for seed in seeds]) for runs in (arm, standard))
        value, low, high, gain = share(arm, standard, found[model, task, "base"][0], rng)
        assert value == pytest.approx(row.recovered.value, abs=1e-9), (model, task, claim)
        if verdict(low, high, gain) != row.verdict:
            different.append((model, task, claim, min(abs(low - 0.5), abs(high - 0.5)) / (high - low)))
    assert len(seen) > 100
    assert all(distance < 0.05 for *_, distance in different), different  # only where an end lies on the threshold
    assert len(different) <= 0.03 * len(seen), different
