"""Intervals: coverage by simulation; verdicts on synthetic arms with known truth."""

import numpy as np
import pytest

from mtalign.claims.verdicts import CLAIMS, judge
from mtalign.stats import Estimate, bootstrap_ci, decide, recovered


def arm(mean, seeds, prompts, between, rng):
    """Accuracies (S, P) with a spread between seeds and between prompts, of known mean."""
    centre = mean + between * rng.standard_normal((seeds, 1)) + 0.1 * rng.standard_normal((1, prompts))
    return centre + 0.05 * rng.standard_normal((seeds, prompts))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_covers_the_truth_95_times_in_100(seeds):
    rng = np.random.default_rng(seeds)
    hits = 0
    for _ in range(300):
        estimate = bootstrap_ci([arm(0.5, seeds, 60, 0.1, rng)], lambda m: m, rng, draws=500)
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.92 <= hits / 300 <= 1.0


@pytest.mark.parametrize("share, truth", [(0.9, "holds"), (0.1, "fails")])
def test_clear_arms_get_their_verdict(share, truth):
    rng = np.random.default_rng(0)
    base, standard = arm(0.2, 1, 100, 0, rng), arm(0.9, 5, 100, 0.02, rng)
    found = [
        judge(CLAIMS["one_example"], arm(0.2 + 0.7 * share, 5, 100, 0.05, rng), standard, base)[1] for _ in range(20)
    ]
    assert found.count(truth) >= 19


def test_an_arm_at_the_threshold_is_rarely_called():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(100):
        standard, base = arm(0.9, 3, 80, 0.02, rng), arm(0.2, 1, 80, 0, rng)
        wrong += judge(CLAIMS["one_example"], arm(0.55, 3, 80, 0.1, rng), standard, base)[1] != "inconclusive"
    assert wrong / 100 <= 0.08


def test_nothing_can_be_recovered_where_standard_rl_gains_nothing():
    base = np.full((1, 50), 0.9)
    assert judge(CLAIMS["one_example"], np.full((2, 50), 0.9), np.full((2, 50), 0.9), base)[1] == "not testable"


def test_pairing_cancels_what_arms_share():
    rng = np.random.default_rng(2)
    shared = 0.2 * rng.standard_normal((4, 1)) + 0.2 * rng.standard_normal((1, 40))
    difference = bootstrap_ci([0.6 + shared, 0.5 + shared], lambda a, b: a - b, rng)
    assert difference.high - difference.low < 1e-6


def test_the_same_generator_gives_the_same_interval():
    data = np.random.default_rng(3).random((3, 20))
    one, two = (bootstrap_ci([data], lambda m: m, np.random.default_rng(7)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    "arms",
    [[], [np.zeros((0, 3))], [np.zeros(3)], [np.zeros((2, 3)), np.zeros((2, 4))], [np.zeros((2, 3)), np.zeros((3, 3))]],
)
def test_data_that_do_not_match_are_refused(arms):
    with pytest.raises(ValueError):
        bootstrap_ci(arms, lambda *m: m[0], np.random.default_rng(0))


def test_decide_needs_the_whole_interval():
    assert [decide(Estimate(0.6, low, high), 0.5) for low, high in ((0.51, 0.9), (0.1, 0.49), (0.4, 0.9))] == [
        "holds",
        "fails",
        "inconclusive",
    ]


def test_recovered_is_zero_at_base_and_one_at_standard():
    assert recovered(np.array([0.2, 0.9]), np.array([0.9, 0.9]), np.array([0.2, 0.2])).tolist() == pytest.approx([0, 1])
