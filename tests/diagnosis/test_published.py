"""Published data: the paper's strong and weak pairs, and how stable the choice of one example is."""

import os

import numpy as np
import pytest

from mtalign.config.errors import ConfigError
from mtalign.diagnosis import published

needs_data = pytest.mark.skipif("MTALIGN_DATA" not in os.environ, reason="MTALIGN_DATA is not set")
MODELS = ["Qwen2.5-7B-Instruct", "Meta-Llama-3.1-8B-Instruct"]


@needs_data
def test_the_papers_strong_and_weak_categories_are_apart_in_published_responses():
    table = published.published_alignment(
        MODELS, ["korbench-operation", "korbench-counterfactual", "korbench-puzzle", "korbench-cipher"]
    )
    assert table["value"].round(3).tolist() == [0.464, 0.856, 0.060, 0.064, 0.496, 0.864, 0.020, 0.084]
    assert (table["same"] >= 0.99).all() and (table["low"] < table["value"]).all()
    assert published.pairs_verdict(table).data.count("**holds**") == 2
    assert set(table[table["paper"] == "strong"]["expect_majority_vote"]) <= {"holds", "probably holds"}
    swapped = table.assign(paper=table["paper"].map({"strong": "weak", "weak": "strong"}))
    assert published.pairs_verdict(swapped).data.count("**fails**") == 2


@needs_data
def test_the_published_first_example_leads_whatever_the_length_of_histories():
    table = published.ranked(published.history(), 3)
    assert table["index"].tolist()[:2] == [124, 267] and table["common"].tolist()[:2] == [1, 2]
    assert table["sd"][0] == pytest.approx(0.4068, abs=1e-4) and (table["noise"] < table["sd"]).all()


def test_an_unstable_ranking_is_told_from_a_stable_one():
    rng = np.random.default_rng(0)
    alike = {i: rng.integers(0, 9, size=44 + i).tolist() for i in range(10)}
    stable = alike | {10: [0, 100] * 25}
    found = [published.stability(h, np.random.default_rng(1), top=3, draws=100) for h in (alike, stable)]
    assert found[0]["first"] != {0: 1.0} and max(found[0]["first"].values()) < 0.9
    assert found[1]["first"] == {10: 1.0} and found[1]["places"]["high"][0] == 1
    assert "not settled" in published.stability_verdict(found[0]).data
    assert "**stable**" in published.stability_verdict(found[1]).data


def test_short_histories_keep_their_own_length_when_drawn_again():
    history = {0: [0.0, 1.0] * 2, 1: [0.5] * 50, 2: [0.4, 0.6] * 20}
    found = published.stability(history, np.random.default_rng(0), top=3, draws=50, block=2)
    assert found["places"]["index"].tolist() == [0, 2, 1] and found["places"]["high"].tolist() == [1, 2, 3]


def test_what_is_missing_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MTALIGN_DATA", raising=False)
    assert not published.available() and "set MTALIGN_DATA" in capsys.readouterr().out
    monkeypatch.setenv("MTALIGN_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=r"acc_step_500\.json: cannot be read: No such file"):
        published.history()
    with pytest.raises(ConfigError, match="no published responses; known: korbench-operation"):
        published.responses("m", "gsm8k")
