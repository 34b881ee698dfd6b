"""Verdicts on synthetic records with known truth: wrong ones are as rare as the stated level says."""

from importlib import import_module

import numpy as np
import pytest

from mtalign.claims.verdicts import verdicts
from mtalign.config.run import Run

PROMPTS, SAMPLES, SEEDS = 60, 64, 5
ARMS = {"majority_vote": "majority_vote", "one_shot": "one_example", "nsr": "negative_samples"}


class Made:
    """Records made up in memory: counts of right samples, binomial around a probability for each seed and prompt.

    Prompts differ in difficulty, arms in what they do to single prompts, seeds in a shift of the whole arm; over all
    prompts and seeds the arms recover exactly `share` of what standard RL gains.
    """

    def __init__(self, share: float, rng: np.random.Generator):
        self.runs = [Run("micro-a", "logic", "base", max_steps=0).base]
        self.runs += [Run("micro-a", "logic", arm, seed) for arm in ("standard", *ARMS) for seed in range(SEEDS)]
        difficulty = 0.1 * rng.standard_normal(PROMPTS)
        self.counts = {}
        for arm in ("base", "standard", *ARMS):
            mean = {"base": 0.2, "standard": 0.8}.get(arm, 0.2 + 0.6 * share)
            own = difficulty + 0.05 * rng.standard_normal(PROMPTS)
            for run in (run for run in self.runs if run.arm == arm):
                shift = 0.05 * rng.standard_normal() * (arm != "base")
                self.counts[run] = rng.binomial(SAMPLES, np.clip(mean + own + shift, 0, 1))

    def read(self, run: Run) -> dict:
        evaluation = {"correct": self.counts[run].tolist(), "num_samples": SAMPLES}
        config = {"model": run.model, "task": run.task, "arm": run.arm, "seed": run.seed}
        return {"status": "finished", "config": config, "after": evaluation}

    def verdicts(self):
        table = verdicts(self.runs, self).set_index("claim")
        return table.loc[list(ARMS.values())]


def rates(tables: int, share: float, seed: int) -> dict[str, float]:
    """Shares of single verdicts by kind, and of whole tables with a verdict that stands after Holm's correction."""
    rng, found, families = np.random.default_rng(seed), [], 0
    for _ in range(tables):
        table = Made(share, rng).verdicts()
        found += table["verdict"].tolist()
        families += bool(((table["verdict"] != "inconclusive") & (table["holm"] <= 0.05)).any())
    kinds = {kind: found.count(kind) / len(found) for kind in ("holds", "fails", "inconclusive")}
    return kinds | {"family": families / tables}


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(import_module("mtalign.claims.verdicts"), "DRAWS", 2000)


def test_a_claim_exactly_at_the_threshold_is_called_in_at_most_5_of_100(few_draws):
    found = rates(tables=80, share=0.5, seed=0)  # 240 verdicts
    assert found["holds"] + found["fails"] <= 0.08 and found["family"] <= 0.10, found


@pytest.mark.parametrize("share, truth, wrong", [(0.9, "holds", "fails"), (0.1, "fails", "holds")])
def test_clear_truth_is_found_and_never_its_opposite(few_draws, share, truth, wrong):
    found = rates(tables=15, share=share, seed=1)
    assert found[truth] >= 0.95 and found[wrong] == 0, found


@pytest.mark.slow
def test_false_positives_over_a_thousand_tables(few_draws):
    found = rates(tables=1000, share=0.5, seed=2)
    print(found)
    assert found["holds"] + found["fails"] <= 0.055 and found["family"] <= 0.055, found
