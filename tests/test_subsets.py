import json
import os
from pathlib import Path

import numpy as np
import pytest

from mtalign.subsets import historical_variance, replicate, select


def test_the_most_varied_prompt_comes_first_whatever_the_lengths():
    history = [[0.5] * 50, [0, 1] * 20, [0.4, 0.6], [0.0, 1.0, 0.0]]
    assert historical_variance(history) == sorted(range(4), key=lambda i: -np.std(history[i]))


def test_prompts_seen_once_or_never_come_last():
    assert historical_variance([[], [1.0], [0.5, 0.5]]) == [2, 0, 1]


def test_best_median_and_worst_are_apart():
    ranking = list(range(10))
    drawn = [select(ranking, 2, "random", seed) for seed in range(9)]
    assert drawn[3] == select(ranking[::-1], 2, "random", 3) and len({tuple(each) for each in drawn}) > 1
    assert [select(ranking, 2, rank) for rank in ("best", "median", "worst")] == [[0, 1], [4, 5], [8, 9]]


@pytest.mark.parametrize("k", [0, 11])
def test_k_must_fit(k):
    with pytest.raises(ValueError):
        select(list(range(10)), k)


def test_a_single_row_fills_a_rollout_in_whole_copies():
    assert len(replicate([{"a": 1}], 16)) == 16
    assert len(replicate([{"a": 1}] * 5, 16)) == 20
    with pytest.raises(ValueError):
        replicate([], 16)


def test_a_mapping_from_text_indices_ranks_as_the_list_does():
    history = [[0.5, 0.5], [0, 1], [0.4, 0.6]]
    assert historical_variance({str(i): history[i] for i in (2, 0, 1)}) == historical_variance(history) == [1, 2, 0]


@pytest.mark.skipif("MTALIGN_DATA" not in os.environ, reason="MTALIGN_DATA is not set")
def test_the_published_history_ranks_the_published_first_example_first():
    history = json.loads((Path(os.environ["MTALIGN_DATA"]) / "oneshot" / "acc_step_500.json").read_text())
    ranking = historical_variance(history)
    assert ranking[:2] == [124, 267] and sorted(ranking) == list(range(1209))
    assert np.std(history["124"]) == pytest.approx(0.4068, abs=1e-4)
