"""Take-off: exact shares of runs, and where they cross one half, on simulated runs with known truth."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from mtalign.claims.mixed_logit import _Likelihood, crossing
from mtalign.claims.take_off import rate, took_off
from mtalign.stats import bootstrap_ci

BIMODAL = np.array([0.80, 0.76, 0.91, 0.17, 0.67])  # accuracies by seed: majority vote on dose-0.07, logic


@pytest.mark.parametrize(
    "population, seeds, at_most",
    [("measured", 3, 0.9), ("measured", 5, 0.85), ("two points", 3, 0.55), ("two points", 5, 0.73)],
)
def test_where_runs_take_off_or_not_students_t_covers_too_little_and_the_exact_interval_enough(
    population, seeds, at_most
):
    runs_end_at = BIMODAL if population == "measured" else np.where(BIMODAL > 0.5, BIMODAL[BIMODAL > 0.5].mean(), 0.17)
    rng, t_hits, exact_hits, studies = np.random.default_rng(seeds), 0, 0, 400
    for _ in range(studies):
        runs = rng.choice(runs_end_at, seeds)
        mean = bootstrap_ci([np.tile(runs[:, None], 2)], lambda m: m, rng, draws=400)
        t_hits += mean.low - 1e-9 <= runs_end_at.mean() <= mean.high + 1e-9
        share = rate(int((runs > 0.5).sum()), seeds)
        exact_hits += share.low <= 0.8 <= share.high
    assert t_hits / studies <= at_most, t_hits / studies
    assert exact_hits / studies >= 0.95


def test_a_run_takes_off_where_it_recovers_more_than_half_of_standard_rls_mean_gain():
    standard, base = np.full((5, 4), 0.985), np.full((1, 4), 0.154)
    assert took_off(np.tile(BIMODAL[:, None], 4), standard, base).tolist() == [True, True, True, False, True]
    assert not took_off(np.full((1, 4), 0.5), standard=[[0.8] * 4], base=[[0.2] * 4])[0]  # exactly one half


def test_no_runs_have_no_share():
    with pytest.raises(ValueError, match="runs"):
        rate(0, 0)


def test_the_likelihood_is_that_of_integration_on_a_grid_a_hundred_times_as_fine():
    taken, runs, odds, spread, lapse = np.array([1, 4, 5]), 5, np.array([-1.0, 0.5, 2.0]), 1.7, 0.05
    found = _Likelihood([0.0, 0.5, 1.0], taken, [runs] * 3, ["a", "a", "b"])._value(odds, spread, lapse)
    u = np.linspace(-8, 8, 8001)
    p = (1 - lapse) * expit(odds[:, None] + spread * u)
    each = p ** taken[:, None] * (1 - p) ** (runs - taken[:, None])
    expected = sum(np.log(np.trapezoid(each[rows].prod(axis=0) * norm.pdf(u), u)) for rows in ([0, 1], [2]))
    assert found[0] == pytest.approx(expected, abs=1e-4)
    step = 1e-6
    other = _Likelihood([0.0, 0.5, 1.0], taken, [runs] * 3, ["a", "a", "b"])
    for position, by in ((1, found[2]), (2, found[3])):
        moved = [odds, spread, lapse]
        moved[position] += step
        assert (other._value(*moved)[0] - found[0]) / step == pytest.approx(by, abs=1e-3)


def simulated(rng, checkpoints=9, spread=0.5, x50=0.15, slope=40.0, runs=8):
    """Counts of three checkpoints for each of some doses, of one task."""
    x = np.repeat(np.linspace(0.03, 0.3, checkpoints // 3), 3) + 0.01 * rng.standard_normal(checkpoints)
    p = expit(slope * (x - x50) + spread * rng.standard_normal(checkpoints))
    return x, rng.binomial(runs, p), [runs] * checkpoints, [str(i) for i in range(checkpoints)]


@pytest.mark.parametrize("studies", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_the_interval_of_the_crossing_covers_the_truth(studies):
    rng = np.random.default_rng(0)
    found = [crossing(*simulated(rng)) for _ in range(studies)]
    covered = np.mean([f.low <= 0.15 <= f.high for f in found])
    print(covered)
    assert covered >= (0.92 if studies > 100 else 0.75)
    assert np.median([f.x50 for f in found]) == pytest.approx(0.15, abs=0.02)


def test_separated_counts_say_in_which_gap_the_crossing_lies():
    found = crossing([0.05, 0.06, 0.10, 0.22, 0.30, 0.50], [0, 0, 0, 5, 5, 5], [5] * 6, list("abcdef"))
    assert found.x50 == pytest.approx(0.16, abs=0.01)
    assert 0.03 < found.low < 0.10 and 0.22 < found.high < 0.30  # the ends may lie within a neighbour's chances


def test_a_claim_that_always_or_never_takes_off_has_no_crossing_and_an_open_interval():
    always = crossing([0.1, 0.3, 0.9], [5, 5, 5], [5] * 3, list("abc"))
    never = crossing([0.1, 0.3, 0.9], [0, 0, 0], [5] * 3, list("abc"))
    assert always.x50 == always.low == -np.inf and 0.1 < always.high < np.inf
    assert never.x50 == never.high == np.inf and -np.inf < never.low < 0.9


def test_runs_that_say_nothing_give_the_whole_line():
    found = crossing([0.1, 0.2], [3, 2], [5, 5], ["a", "b"])
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_more_checkpoints_at_the_same_doses_narrow_the_interval():
    x, taken = [0.05, 0.1, 0.2, 0.3], [0, 1, 4, 5]
    one = crossing(x, taken, [5] * 4, list("abcd"))
    three = crossing(x * 3, taken * 3, [5] * 12, list("abcdefghijkl"))
    assert three.high - three.low < one.high - one.low


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="crossing"):
        crossing([0.1], [1, 2], [5, 5], ["a", "b"])
