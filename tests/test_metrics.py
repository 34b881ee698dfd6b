"""pass@k and maj@k against enumeration by hand and by force."""

from itertools import combinations

import numpy as np
import pytest

from mtalign.metrics import chance_corrected, maj_at_k, pass_at_k, pass_at_k_counts


@pytest.mark.parametrize("samples", [1, 2, 5, 7])
def test_pass_at_k_equals_the_mean_over_all_subsets(samples):
    for right in range(samples + 1):
        row = [True] * right + [False] * (samples - right)
        for k in range(1, samples + 1):
            brute = np.mean([any(subset) for subset in combinations(row, k)])
            assert pass_at_k([row], k)[0] == pytest.approx(brute)


def test_pass_at_1_is_accuracy_and_pass_at_n_is_any():
    correct = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    assert pass_at_k(correct, 1).tolist() == [0.25, 0.0, 1.0]
    assert pass_at_k(correct, 4).tolist() == [1.0, 0.0, 1.0]


def test_pass_at_k_stays_exact_with_many_samples():
    assert pass_at_k_counts([1], 100_000, 50_000)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("correct, k", [([[True]], 0), ([[True]], 2), ([[]], 1), ([], 1), ([True, False], 1)])
def test_pass_at_k_refuses_what_has_no_answer(correct, k):
    with pytest.raises(ValueError):
        pass_at_k(correct, k)


def test_maj_at_k_breaks_ties_by_share_and_ignores_empty_answers():
    rng = np.random.default_rng(0)
    answers = [["a", "b"], ["a", None], [None, None], ["b", "b"]]
    assert maj_at_k(answers, ["a"] * 4, k=2, rng=rng).tolist() == [0.5, 1.0, 0.0, 0.0]


def test_maj_at_k_equals_enumeration():
    answers, truth = ["a"] * 4 + ["b"] * 3 + ["c"] * 2, "a"
    wins = []
    for votes in combinations(answers, 3):
        most = max(map(votes.count, votes))
        tied = {v for v in votes if votes.count(v) == most}
        wins.append((truth in tied) / len(tied))
    found = np.mean([maj_at_k([answers], [truth], 3, np.random.default_rng(s))[0] for s in range(100)])
    assert found == pytest.approx(np.mean(wins), abs=0.01)


def test_maj_at_1_is_accuracy():
    found = np.mean([maj_at_k([["a", "a", "b", "c"]], ["a"], 1, np.random.default_rng(s))[0] for s in range(50)])
    assert found == pytest.approx(0.5, abs=0.03)


def test_guessing_is_no_alignment_at_any_k():
    for k in (1, 4, 32):
        assert chance_corrected(1 - 0.9**k, chance=0.1, k=k) == pytest.approx(0)
        assert chance_corrected(1.0, chance=0.1, k=k) == pytest.approx(1)
