"""Intervals of x50 cover where RL seeds are shared by all base models of a level, as they are in the map."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims import level_errors, level_words, map_rules
from mtalign.claims.level_errors import LEAST_SEEDS, at_seeds, estimate, interval, ratio, standard_error
from mtalign.claims.level_thresholds import crossings

X50, SEEDS = 0.1, 4


def level(rng: np.random.Generator, seeds: np.ndarray, x50: float = X50, name: str = "centre") -> pd.DataFrame:
    """18 base models, six doses; each RL seed moves the threshold of all of them, each base model its own of all seeds."""
    rows = []
    for dose in (0.03, 0.05, 0.08, 0.12, 0.2, 0.3):
        for checkpoint in range(3):
            odds = 6 * (np.log(dose / x50) - seeds - rng.normal(0, 0.1))
            shares = (rng.random(len(seeds)) < 1 / (1 + np.exp(-odds))).astype(float).tolist()
            row = {"level": name, "model": f"{dose} {checkpoint}", "x": dose, "testable": True, "gain": 0.5}
            rows.append(row | {"seeds": list(range(len(seeds))), "shares": shares})
    frame = pd.DataFrame(rows)
    return frame.assign(taken=frame["shares"].map(sum), runs=len(seeds))


def covered(studies: int) -> tuple[float, float]:
    """The share of studies whose interval holds the truth: of all errors, and of the profile alone."""
    rng, found = np.random.default_rng(0), []
    for _ in range(studies):
        cells = level(rng, rng.normal(0, 0.35, SEEDS))
        profile = estimate(cells, "x")
        _, low, high = interval(cells, "x", profile)
        found.append((low <= X50 <= high, profile.low <= X50 <= profile.high))
    return tuple(np.mean(found, axis=0))


def said_apart(studies: int) -> float:
    """The share of pairs of levels with one threshold and the same seeds that are said to be apart."""
    rng, found = np.random.default_rng(4), []
    for _ in range(studies):
        seeds = rng.normal(0, 0.35, SEEDS)
        table = pd.concat([level(rng, seeds), level(rng, seeds, name="other")])
        found.append(crossings(table, "x").set_index("level").loc["other", "apart"])
    return float(np.mean(found))


@pytest.mark.slow
def test_an_interval_covers_though_seeds_are_shared_and_the_profile_alone_does_not():
    every, profile = covered(150)
    assert every >= 0.87 and every >= profile + 0.05, (every, profile)  # 0.90 and 0.79 of 100; nominal is 0.95


@pytest.mark.slow
def test_two_levels_that_are_the_same_are_seldom_said_to_be_apart():
    assert said_apart(80) <= 0.1


def test_what_a_seed_does_to_both_levels_cancels_in_their_ratio():
    rng, wide, narrow = np.random.default_rng(1), [], []
    for _ in range(4):
        seeds = rng.normal(0, 0.6, SEEDS)
        one, two = level(rng, seeds), level(rng, seeds, 1.5 * X50)
        found, other = estimate(two, "x"), estimate(one, "x")
        _, low, high = ratio(two, one, "x")
        narrow.append(np.log(high / low))
        wide.append(
            sum(np.log(each[2] / each[1]) ** 2 for each in (interval(one, "x", other), interval(two, "x", found)))
            ** 0.5
        )
    assert np.mean(narrow) < 0.8 * np.mean(wide)


def test_two_seeds_cannot_say_that_levels_differ_and_one_gives_no_interval():
    rng = np.random.default_rng(2)

    def apart(seeds: int) -> bool:
        offsets = np.zeros(seeds)
        table = pd.concat([level(rng, offsets), level(rng, offsets, 0.25, "other")])
        return bool(crossings(table, "x").set_index("level").loc["other", "apart"])

    assert apart(4) and not apart(2)
    alone = level(rng, np.zeros(1))
    assert interval(alone, "x", estimate(alone, "x"))[1:] == (-np.inf, np.inf)
    never = alone.assign(taken=0, shares=[[0.0]] * len(alone))
    assert interval(never, "x", estimate(never, "x")) == (np.inf, -np.inf, np.inf)


def test_alignment_that_is_measured_on_other_prompts_widens_the_interval():
    rng = np.random.default_rng(3)
    cells = level(rng, np.zeros(SEEDS))
    blurred = cells.assign(without=[{"x": (x * np.exp(np.linspace(-0.3, 0.3, 10))).tolist()} for x in cells["x"]])
    sure, unsure = (interval(each, "x", estimate(each, "x")) for each in (cells, blurred))
    assert unsure[1] < 0.8 * sure[1] and unsure[2] > 1.25 * sure[2]


def test_levels_with_other_seeds_are_compared_at_those_they_share():
    rng = np.random.default_rng(5)
    seeds = np.array([1.0, 0.9, 0.1, -0.1, -1.0, -0.9])  # those that are not shared move x50 apart
    one, two = level(rng, seeds[:4]), level(rng, seeds[2:], name="other")
    two["seeds"] = [[2, 3, 4, 5]] * len(two)
    found = crossings(pd.concat([one, two]), "x").set_index("level")
    assert ratio(two, one, "x") == ratio(at_seeds(two, [2, 3]), at_seeds(one, [2, 3]), "x")
    assert 0.6 < ratio(two, one, "x")[0] < 1.6 and found.loc["other", "x50"] < 0.6 * found.loc["centre", "x50"]
    assert found.loc["other", "seeds"] == 2 < LEAST_SEEDS and not found.loc["other", "apart"]
    alone = level(rng, seeds[:2], name="other").assign(seeds=[[8, 9]] * 18)
    assert np.isnan(ratio(alone, one, "x")[0])
    assert crossings(pd.concat([one, alone]), "x").set_index("level").loc["other", "seeds"] == 0


def test_the_reference_has_no_ratio_to_itself_and_stands_beside_a_level_that_cannot_be_tested():
    rng = np.random.default_rng(6)
    table = pd.concat([level(rng, np.zeros(SEEDS)), level(rng, np.zeros(SEEDS), name="silent").assign(testable=False)])
    found = crossings(table, "x").set_index("level")
    assert found.loc["centre", "reference_x50"] == found.loc["silent", "reference_x50"] == found.loc["centre", "x50"]
    assert np.isnan(found["ratio"].astype(float)).all() and not found["apart"].any()
    assert np.isnan(found.loc["silent", "x50"])


def test_the_end_of_a_threshold_that_was_not_reached_knows_what_seeds_do_to_it():
    rng = np.random.default_rng(7)
    cells = level(rng, np.array([-2.0, 1.5, 1.5, 1.5]), 0.35)  # one of four seeds takes off at high alignment
    profile = estimate(cells, "x")
    assert profile.x50 == np.inf and 0 < profile.low < np.inf
    x50, low, high = interval(cells, "x", profile)
    assert x50 == high == np.inf and 0 < low < profile.low
    always = level(rng, np.array([2.0, -1.5, -1.5, -1.5]), 0.03)
    profile = estimate(always, "x")
    assert profile.x50 == -np.inf and profile.high < np.inf
    assert interval(always, "x", profile)[2] > profile.high
    never = cells.assign(taken=0, shares=[[0.0] * SEEDS] * len(cells))
    found = estimate(never, "x")
    assert interval(never, "x", found) == (np.inf, found.low, np.inf)  # leaving out seeds changes nothing


def test_the_standard_error_rests_on_few_seeds_and_is_not_known_where_x50_is_not():
    rng = np.random.default_rng(8)
    cells = level(rng, rng.normal(0, 0.6, SEEDS))
    error, freedom = standard_error(cells, "x", estimate(cells, "x"))
    assert 0.1 < error < 1 and 2 < freedom < 20
    never = cells.assign(taken=0, shares=[[0.0] * SEEDS] * len(cells))
    assert np.isnan(standard_error(never, "x", estimate(never, "x"))).all()


def test_what_is_left_out_is_fitted_once():
    from mtalign.claims import mixed_logit

    rng = np.random.default_rng(9)
    table = pd.concat([level(rng, np.zeros(SEEDS)), level(rng, np.zeros(SEEDS), 0.15, "other")])
    crossings(table, "x")
    before = mixed_logit._moved.cache_info().misses
    crossings(table, "x")
    assert mixed_logit._moved.cache_info().misses == before


def test_a_range_that_was_not_measured_tells_nothing_apart():
    rng = np.random.default_rng(10)
    centre = level(rng, np.zeros(SEEDS), 0.15)
    low = level(rng, np.zeros(SEEDS), name="other")
    low = low[low["x"] <= 0.08].assign(
        taken=0, shares=[[0.0] * SEEDS] * 9
    )  # no run takes off, as none would at the centre
    found = crossings(pd.concat([centre, low]), "x").set_index("level").loc["other"]
    assert found["x50"] == np.inf and not found["apart"] and found["ratio_low"] < 1
    high = level(rng, np.zeros(SEEDS), name="other").assign(taken=0, shares=[[0.0] * SEEDS] * 18)
    found = crossings(pd.concat([centre, high]), "x").set_index("level").loc["other"]
    assert found["apart"] and found["ratio_low"] > 1 and np.isnan(found["ratio"])  # none takes off up to 0.3


def test_a_level_is_told_apart_in_the_direction_of_its_common_seeds():
    rng = np.random.default_rng(11)
    centre = level(rng, np.zeros(4), 0.08)
    other = level(
        rng, np.array([9.0] * 4 + [-3.0] * 4), 0.08, "other"
    )  # nowhere at seeds 0 to 3, everywhere at the others
    found = crossings(pd.concat([centre, other]), "x").set_index("level")
    assert found.loc["other", "apart"] and map_rules.higher(found, "other") is True
    assert "above it" in " ".join(level_words.in_sentences(found.reset_index()))


def test_seeds_of_cells_that_cannot_be_tested_do_not_count():
    rng = np.random.default_rng(12)
    other = at_seeds(level(rng, np.zeros(SEEDS), 0.25, "other"), [0, 1])
    silent = level(rng, np.zeros(SEEDS), 0.25, "other").iloc[:1].assign(testable=False)
    found = crossings(pd.concat([level(rng, np.zeros(SEEDS)), other, silent]), "x").set_index("level")
    assert found.loc["other", "seeds"] == 2


def test_both_profiles_enter_a_ratio_with_their_own_degrees_of_freedom():
    rng = np.random.default_rng(13)
    one, two = level(rng, np.zeros(SEEDS)), level(rng, np.zeros(SEEDS), 0.15)
    few = two[two["model"].str.endswith("0")]  # a third of the base models
    errors = [estimate(each, "x") for each in (few, one)]
    freedom = [level_errors._profile(found, 1)[1] for found in errors]
    assert freedom == [4, 16] and level_errors._half_width([(0.04, 4)]) > level_errors._half_width([(0.04, 16)])
    _, low, high = ratio(few, one, "x")
    assert high / low > ratio(two, one, "x")[2] / ratio(two, one, "x")[1]
