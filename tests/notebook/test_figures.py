"""Figures: every picture is drawn from tidy frames, an empty one says so, an arm has one colour everywhere."""

import matplotlib
import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from mtalign.claims.untrained import FROM_BASE
from mtalign.config.arms import ARMS
from mtalign.notebook.figures import (
    accuracy_bars,
    alignment_curves,
    dose_response,
    gain_against,
    learning_curves,
    recovered_shares,
    seeds_apart,
    take_off,
)
from mtalign.notebook.palette import LABELS, PALETTE, colour, know, label, palette, style
from mtalign.notebook.transfer_figures import paper_claims, transfer
from mtalign.stats import Estimate

BARS = pd.DataFrame(
    [
        {"panel": p, "arm": a, "value": v, "low": v - 0.1, "high": v + 2, "seeds": 2}
        for p in ("strong", "weak")
        for a, v in (("base", 0.2), ("mine", 0.9))
    ]
)
SHARES = pd.DataFrame(
    {"model": "m", "task": ["a", "b", "a"], "arm": "random", "claim": "random_reward", "alignment": [0.1, 0.5, 0.9], "gain": [0, 0.1, 0.2],
     "verdict": ["fails", "inconclusive", "holds"], "recovered": [Estimate(0.1, -9, 0.2), Estimate(0.5, 0, 1), Estimate(1, 0.9, 9)], "value": [0.1, 0.5, 1.0]}
)  # fmt: skip


@pytest.fixture(autouse=True)
def closed():
    """Figures of a test are closed after it."""
    yield
    matplotlib.pyplot.close("all")


def test_every_arm_has_a_colour_and_a_name_of_its_own():
    known = [*ARMS, *FROM_BASE]
    assert set(PALETTE) == set(LABELS) <= set(known)
    for number in (1, 3):  # new arms, whose colours and names nobody has chosen
        table = pd.DataFrame({"arm": [*known, *(f"new_{i}" for i in range(number))]})
        assert len(set(palette(table).values())) == len({*map(label, table["arm"])}) == len(known) + number


def test_bars_end_where_accuracies_end_and_wear_their_arms_colours():
    figure = accuracy_bars(BARS, chance=0.1)
    axis = figure.axes[0]
    assert axis.get_ylim() == (0, 1.05) and [t.get_text() for t in axis.get_xticklabels()] == ["before RL", "mine"]
    assert axis.patches[0].get_facecolor()[:3] == pytest.approx(PALETTE["base"][:3])
    assert [a.get_title() for a in figure.axes] == ["strong", "weak"]


def test_learning_curves_show_each_arm_once():
    curves = pd.DataFrame(
        {
            "step": [1, 2] * 4,
            "arm": ["base", "nsr"] * 4,
            "seed": [0, 0, 1, 1] * 2,
            "reward": np.arange(8.0),
            "entropy": 1.0,
        }
    )
    figure = learning_curves(curves, ["reward", "entropy"])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["before RL", "negatives only"]


@pytest.mark.parametrize(
    "draw",
    [
        recovered_shares,
        lambda t: dose_response(t, "alignment"),
        lambda t: gain_against(t, "alignment"),
    ],
)
def test_shares_of_any_size_are_drawn_within_the_picture(draw):
    for axis in draw(SHARES).axes:
        assert (axis.get_xlim()[1] < 3 and axis.lines) or axis.collections


@pytest.mark.parametrize(
    "draw",
    [
        accuracy_bars,
        lambda t: learning_curves(t, ["reward"]),
        alignment_curves,
        recovered_shares,
        lambda t: dose_response(t, "x"),
        lambda t: gain_against(t, "x"),
        seeds_apart,
    ],
)
def test_without_runs_a_figure_says_so(draw):
    (axis,) = draw(pd.DataFrame()).axes
    assert axis.texts[0].get_text() == "no finished runs"


def test_points_of_seeds_stand_in_the_same_places_each_time_and_apart():
    rows = [("m", "t", arm, a, 0.5) for arm, a in [("base", 0.5), *(("random", a) for a in (0.4, 0.41, 0.41, 0.9))]]
    table = pd.DataFrame(rows, columns=["model", "task", "arm", "accuracy", "accuracy_before"])
    first, second = (
        np.concatenate([c.get_offsets() for c in seeds_apart(table).axes[0].collections]) for _ in range(2)
    )
    assert np.array_equal(first, second) and len({tuple(point) for point in first}) == 5


def test_two_models_are_never_pooled_and_titles_state_where_the_arms_end():
    rows = [{"model": m, "task": "t", "arm": arm, "seed": 0, "step": step, "accuracy": value + step / 10}
            for m in ("one", "other") for arm, value in (("standard", 0.5), ("random", 0.1)) for step in (1, 2)]  # fmt: skip
    figure = learning_curves(pd.DataFrame(rows), ["accuracy"])
    titles = [" ".join(axis.get_title().split()) for axis in figure.axes]
    ends = "accuracy: 0.30 (random reward) to 0.70 (standard RL) at the end"
    assert titles == [f"one, t {ends}", f"other, t {ends}"]
    assert figure.get_figwidth() <= 10
    known = pd.DataFrame(
        {"pair": "m, t", "k": [1, 4] * 2, "metric": ["pass@k"] * 2 + ["maj@k"] * 2, "value": [0.3, 0.9, 0.3, 0.6]}
    )
    assert "maj@4 0.60 is above pass@1 0.30" in alignment_curves(known).axes[0].get_title().replace("\n", " ")


def test_a_seed_wears_the_colour_of_its_arm():
    table = pd.DataFrame(
        {"model": "m", "task": "t", "arm": ["standard", "random"], "accuracy": 0.5, "accuracy_before": 0.1}
    )
    faces = [c.get_facecolor()[0][:3] for c in seeds_apart(table).axes[0].collections]
    assert np.allclose(faces, [PALETTE["standard"], PALETTE["random"]])


def test_take_off_has_a_panel_for_each_level_with_the_theory_beside_the_runs():
    rows = [
        {"level": level, "x": x, "taken": taken, "runs": 4, "theory": theory, "testable": True}
        for level, shift in (("centre", 0.0), ("agree=0.3", 0.1))
        for x, taken, theory in ((0.1 + shift, 0, 0.0), (0.3 + shift, 4, 1.2))
    ]
    cells = pd.DataFrame(rows)
    crossings = pd.DataFrame(
        {"level": ["centre", "agree=0.3"], "x50": [0.2, np.inf], "low": [0.15, 0.3], "high": [0.25, np.inf]}
    )
    figure = take_off(cells, "x", crossings)
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes if axis.axison]
    assert titles[0] == "the centre: half of the majority votes take off from an alignment of 0.20 [0.15, 0.25] on"
    assert titles[1].startswith(
        "0.3 of wrong guesses agree: half of the majority votes take off at no alignment that was measured"
    )
    runs, theory = figure.axes[0].get_lines()[:2]
    assert runs.get_ydata().tolist() == [0, 1] and theory.get_ydata().tolist() == [0, 1]
    assert take_off(cells.assign(testable=False), "x", crossings).axes[0].texts


READABLE = 11  # dots: the least height of letters; pages show pictures at 100 dots an inch, on a phone too
CHECKPOINTS = pd.DataFrame(
    {"task": "t?size=4", "arm": "majority_vote", "alignment": [0.05, 0.2, 0.6], "taken": [0, 1, 3], "runs": 3, "testable": [False, True, True]}
)  # fmt: skip
CROSSINGS = pd.DataFrame({"task": ["t?size=4"], "x50": [0.3], "low": [0.1], "high": [0.5], "registered": [0.13]})
CLAIMS = pd.DataFrame(
    {"claim": ["P1", "P2", "P3"], "words": "A shortcut works only where alignment is strong", "models": "micro", "outcome": ["holds", "fails", "not tested here"]}
)  # fmt: skip


@pytest.mark.parametrize(
    "draw",
    [
        lambda: accuracy_bars(BARS, chance=0.1),
        lambda: recovered_shares(SHARES),
        lambda: dose_response(SHARES, "alignment"),
        lambda: gain_against(SHARES, "alignment"),
        lambda: transfer(CHECKPOINTS, CROSSINGS, "task"),
        lambda: transfer(CHECKPOINTS[:1], CROSSINGS[:0], "task"),
        lambda: paper_claims(CLAIMS),
    ],
)
def test_the_letters_of_a_picture_can_be_read_on_a_phone(draw):
    figure = draw()
    written = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()]
    assert min(t.get_fontsize() * 100 / 72 for t in written) >= READABLE
    assert figure.get_figwidth() <= 10


def test_an_arm_of_ones_own_looks_the_same_in_every_picture_of_its_grid_and_like_no_other():
    own = [f"own_{i}" for i in range(9)]
    know(own)
    looks = [(colour(arm), style(arm)) for arm in own]
    palette(pd.DataFrame({"arm": ["own_7", "standard"]}))  # in a picture of few arms
    assert looks == [(colour(arm), style(arm)) for arm in own]
    assert len({look for look, _ in looks} | set(PALETTE.values())) == len(own) + len(set(PALETTE.values()))
    assert len({style(arm) for arm in [*LABELS, *own]}) == len(LABELS) + len(own)  # without colour too


@pytest.mark.parametrize("draw", [recovered_shares, lambda table: dose_response(table, "alignment")])
def test_a_share_outside_the_picture_is_an_arrow_at_its_edge_and_a_note_says_so(draw):
    outside = SHARES.assign(recovered=[Estimate(-4.25, -9, -2), Estimate(0.5, 0, 1), Estimate(1, 0.9, 9)])
    said = [t.get_text() for figure in (draw(outside), draw(SHARES)) for t in figure.legends[0].get_texts()]
    assert [words for words in said if "outside" in words] == ["outside the picture: -4.25"]


def test_where_votes_take_off_stands_beside_the_registered_threshold_also_without_a_test():
    titles = [
        transfer(cells, crossings, "task").axes[0].get_title().replace("\n", " ")
        for cells, crossings in ((CHECKPOINTS, CROSSINGS), (CHECKPOINTS[:1], CROSSINGS[:0]))
    ]
    assert titles[0] == "t: half of the majority votes take off from an alignment of 0.30 [0.10, 0.50] on"
    assert titles[1] == "t: no checkpoint could be tested"
    assert "no finished runs" in transfer(CHECKPOINTS[:0], CROSSINGS, "task").axes[0].texts[0].get_text()
    assert "1 holds, 1 fails, 1 is not tested" in paper_claims(CLAIMS).axes[0].get_title().replace("\n", " ")
