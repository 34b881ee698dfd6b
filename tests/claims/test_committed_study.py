"""The committed study's verdicts, computed again from its records with code that shares nothing with the library's.

The bootstrap here draws prompts one table at a time and seeds from a bivariate t; the library's draws weights.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from mtalign.claims.dose_response import flips, shares
from mtalign.claims.verdicts import CLAIMS
from mtalign.notebook.pages import grid_of
from mtalign.records.store import Records
from mtalign.report.index import verdict_tables
from mtalign.tasks.registry import load_task

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


def stands(tests):
    """(key, raw verdict, p-value) -> key -> verdict after Holm's correction, by the definition of Holm (1979)."""
    found, ranked, going_on = {}, sorted(tests, key=lambda test: test[2]), True
    for rank, (key, raw, p_value) in enumerate(ranked):
        going_on = going_on and p_value <= 0.05 / (len(ranked) - rank)
        found[key] = raw if going_on or raw == "inconclusive" else "inconclusive"
    return found


def test_verdicts_are_what_the_records_give_by_other_code():
    found, rng, seen, whole = accuracies(), np.random.default_rng(20251123), {}, {}
    grid = grid_of(STUDY)
    for table in verdict_tables(grid, Records(STUDY / "records")):
        for (pair, claim), row in table["cells"].items():
            if claim != "standard_rl":
                seen[*pair, claim] = row
            else:
                whole[*pair, claim] = row
    different, tests = [], []
    for (model, task, claim), row in seen.items():
        arm, standard = found[model, task, CLAIMS[claim].arm], found[model, task, "standard"]
        seeds = sorted(arm)[: int(row.seeds)]
        arm, standard = (np.array([runs[seed] for seed in seeds]) for runs in (arm, standard))
        base = found[model, task, "base"][0]
        value, low, high, gain = share(arm, standard, base, rng)
        assert value == pytest.approx(row.recovered.value, abs=1e-9), (model, task, claim)
        if standard.mean() - base.mean() < 0.1 or claim == "format_reward":
            assert row.raw == row.verdict == "not testable" and np.isnan(row.p_value), (model, task, claim)
            continue
        half_way = base.mean() + 0.5 * (standard.mean() - base.mean())
        assert row.took_off == sum(arm.mean(axis=1) > half_way), (model, task, claim)
        tests.append(((model, task, claim), row.raw, row.p_value))
        if verdict(low, high, gain) != row.raw:
            different.append((model, task, claim, min(abs(low - 0.5), abs(high - 0.5)) / (high - low)))
    assert len(seen) > 100
    assert all(distance < 0.05 for *_, distance in different), different  # only where an end lies on the threshold
    assert len(different) <= 0.03 * len(seen), different
    tests += [(key, row.raw, row.p_value) for key, row in whole.items() if row.raw != "not testable"]
    settled = stands(tests)
    assert all(settled[key] == row.verdict for key, row in (seen | whole).items() if key in settled)


def rising(x, y):
    """The best non-decreasing curve through the points, by pooling neighbours that fall (adjacent violators)."""
    blocks = []
    for value in np.asarray(y)[np.argsort(x, kind="stable")]:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    return np.concatenate([[value] * n for value, n in blocks])


def flip(x, y):
    curve, x = rising(x, y), np.sort(x)
    if curve[0] > 0.5 or curve[-1] <= 0.5:
        return -np.inf if curve[0] > 0.5 else np.inf
    after = int(np.argmax(curve > 0.5))
    return np.interp(0.5, curve[after - 1 : after + 1], x[after - 1 : after + 1])


def pass_at_4(counts, weights):
    wrong = 64 - np.array(counts)
    missed = np.prod([np.clip(wrong - i, 0, None) / (64 - i) for i in range(4)], axis=0)
    return (1 - missed) @ weights


def test_the_flip_of_majority_vote_and_its_interval_are_what_the_records_give_by_other_code():
    found, rng = accuracies(), np.random.default_rng(5)
    bases = {}
    for path in (STUDY / "records").glob("dose-*.base.*.json"):
        record = json.loads(path.read_text())
        bases[record["config"]["model"], record["config"]["task"]] = record
    pairs = [(m, t) for m, t in bases if t in ("arithmetic", "ordering", "logic") and m != "dose-0.00"]
    assert len(pairs) == 18
    guess = {}
    for pair, record in bases.items():
        guess[pair] = np.full(100, 0.1)
        if pair[1] == "ordering":  # four digits are listed; the model names one of them so often
            shown = [set(e.prompt[len("ordering: ") :][:4]) for e in load_task("ordering").eval[:100]]
            votes = record["after"]["answers"]
            named = sum(n for v, s in zip(votes, shown, strict=True) for a, n in v.items() if a in s)
            guess[pair] = np.full(100, 0.25 * named / 6400)

    def aligned(pair, weights):
        value = pass_at_4(bases[pair]["after"]["correct"], weights)
        chance = (1 - (1 - guess[pair]) ** 4) @ weights
        return (value - chance) / (1 - chance)

    def means(arm, weights, t):
        seeds = np.array([a @ weights for _, a in sorted(arm.items())])
        return np.clip(seeds.mean() + (seeds - seeds.mean()) @ t, 0, 1)

    def once(weights, shifts):
        x, y = [], []
        for pair in pairs:
            w, base = weights[pair[1]], found[*pair, "base"][0]
            arm, standard = (means(found[*pair, name], w, shifts[pair]) for name in ("majority_vote", "standard"))
            x.append(aligned(pair, w))
            y.append(np.clip((arm - base @ w) / max(standard - base @ w, 0.01), -1, 1.5))
        return flip(np.array(x), np.array(y))

    even = dict.fromkeys(("arithmetic", "ordering", "logic"), np.full(100, 0.01))
    value = once(even, {pair: np.zeros(5) for pair in pairs})
    draws = []
    for _ in range(600):
        weights = {task: np.bincount(rng.integers(100, size=100), minlength=100) / 100 for task in even}
        scale = {pair: np.sqrt(5 * 4 * rng.chisquare(4) / 4) for pair in pairs}
        draws.append(once(weights, {pair: rng.standard_normal(5) / scale[pair] for pair in pairs}))
    block = grid_of(STUDY).block({})
    runs = [run for run in block.runs if run.arm in ("base", "standard", "majority_vote")]
    row = flips(shares(runs, Records(STUDY / "records"))).set_index("arm").loc["majority_vote"]
    assert value == pytest.approx(row["flip"], abs=1e-9)
    assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([row["low"], row["high"]], abs=0.02)
    assert 0.08 < row["low"] < 0.11 and 0.21 < row["high"] < 0.24
    assert (row["took_off"], row["runs"]) == (75, 90)
    assert row["x50_low"] < 0.10 < row["x50"] < row["high"]  # within the gap of the ladder, from 0.10 to 0.22
