"""The mean-field theory is what the bandit does that it models, by hand and by simulation; its constant is the study's."""

from pathlib import Path

import numpy as np
import pytest

from mtalign.claims import mean_field
from mtalign.claims.mean_field import Policy, moments, recovered, speed, trained
from mtalign.claims.mean_field_fit import policy_of, rate, standard_runs
from mtalign.claims.mean_field_votes import vote_advantages

SQRT3 = 3**0.5


def test_two_votes_tie_or_agree_so_that_there_is_nothing_to_learn():
    assert np.abs(vote_advantages(np.array([0.7, 0.3]), np.array([1, 1]), group=2)[0]).max() < 1e-12


def test_three_votes_of_two_answers_push_by_two_over_root_three_times_p_q_times_their_difference():
    p, q = 0.7, 0.3  # 2:1 has probability 3 p^2 q, advantages 1/sqrt(3) twice and -2/sqrt(3)
    by_hand = 2 / SQRT3 * p * q * (p - q)
    assert vote_advantages(np.array([p, q]), np.array([1, 1]), group=3)[0] == pytest.approx([by_hand, -by_hand])


def test_three_votes_of_three_answers_all_different_are_won_by_each_as_often():
    # 1:1:1 adds nothing: each wins a third of them, with advantage 2/sqrt(3), and loses two thirds with -1/sqrt(3)
    p = np.array([0.5, 0.3, 0.2])
    by_hand = [sum(2 / SQRT3 * a * b * (a - b) for j, b in enumerate(p) if j != i) for i, a in enumerate(p)]
    assert vote_advantages(p, np.array([1, 1, 1]), group=3)[0] == pytest.approx(by_hand)


@pytest.mark.parametrize(("answers", "group"), [(10, 4), (10, 16), (100, 16), (10, 64)])
def test_some_answer_wins_or_all_agree_in_groups_of_any_size_and_advantages_sum_to_zero(answers, group):
    for _, skilled, guessing, number, _ in Policy(0.3, answers, competence=0.9, favourite=0.2).cases():
        shares = skilled + guessing
        total, wins = vote_advantages(shares, number, group)
        assert number @ wins.sum(axis=1) + number @ shares**group == pytest.approx(1, abs=1e-9)
        assert number @ total == pytest.approx(0, abs=1e-9) and wins.min() > -1e-12


def test_classes_of_equal_answers_give_what_the_answers_give_one_by_one():
    together, _ = vote_advantages(np.array([0.2, 0.3, 0.125]), np.array([1, 1, 4]), group=8)
    apart, _ = vote_advantages(np.array([0.2, 0.3, *[0.125] * 4]), np.ones(6), group=8)
    assert apart == pytest.approx([together[0], together[1], *[together[2]] * 4])
    assert apart.sum() == pytest.approx(0, abs=1e-12)


def drawn(policy: Policy, group: int, groups: int, labels: bool, rng) -> tuple[np.ndarray, np.ndarray]:
    """Scores times advantages of both logits for each completion, (2, P, G), of drawn groups."""
    n = policy.answers
    right = rng.integers(n, size=groups) if policy.shared else np.zeros(groups, dtype=int)
    favourite = np.zeros(groups, dtype=int) if policy.shared else np.ones(groups, dtype=int)
    skilled = rng.random((groups, group)) < policy.skill
    slips = (right[:, None] + rng.integers(1, n, size=skilled.shape)) % n
    worked = np.where(rng.random(skilled.shape) < policy.competence, right[:, None], slips)
    others = (favourite[:, None] + rng.integers(1, n, size=skilled.shape)) % n
    guesses = np.where(rng.random(skilled.shape) < policy.q, favourite[:, None], others)
    answers = np.where(skilled, worked, guesses)
    if labels:
        rewards = (answers == right[:, None]).astype(float)
    else:
        votes = (answers[:, :, None] == np.arange(n)).sum(axis=1) + rng.random((groups, n)) / 2
        rewards = (answers == votes.argmax(axis=1)[:, None]).astype(float)
    spread = rewards.std(axis=1, ddof=1, keepdims=True)
    advantages = np.where(spread > 0, (rewards - rewards.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9), 0)
    return advantages * np.stack([skilled - policy.skill, ~skilled * ((answers == favourite[:, None]) - policy.q)])


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(
    "policy",
    [
        Policy(0.1, 10, 0.8, 0.2),
        Policy(0.3, 4, 0.9, 0.4, shared=False),
        Policy(0.05, 2, 1.0, 0.6),
        Policy(0.2, 100, 0.7, 0.1, shared=False),
    ],
)
def test_drift_and_noise_are_those_of_drawn_groups(policy, labels):
    gradients = drawn(policy, 16, 20_000, labels, np.random.default_rng(0)).mean(axis=2)  # (2, P)
    drift, square = moments(policy, 16, labels)
    assert (np.abs(gradients.mean(axis=1) - drift) < 4 * gradients.std(axis=1) / 20_000**0.5 + 1e-9).all()
    assert square == pytest.approx((gradients**2).mean(axis=1), rel=0.05 if labels else 0.15)
    assert speed(policy, 16, 128, labels)[0] == pytest.approx(
        drift[0] / (drift[0] ** 2 + (square[0] - drift[0] ** 2) / 8) ** 0.5
    )


@pytest.mark.parametrize(("skill", "takes_off"), [(0.02, False), (0.15, True)])
def test_the_bandit_trained_by_adam_ends_as_the_theory_says(skill, takes_off):
    policy, step = Policy(skill, 10, 0.95, 0.13), mean_field.RATE * 3e-4
    shares = []
    for seed in range(10):
        rng, logits = np.random.default_rng(seed), np.array([np.log(skill / (1 - skill)), np.log(0.13 * 9 / 0.87)])
        mean, square, now = np.zeros(2), np.zeros(2), policy
        for update in range(1, 101):
            gradient = drawn(now, 16, 8, False, rng).mean(axis=(1, 2))
            mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
            logits += step * mean / (1 - 0.9**update) / np.sqrt(square / (1 - 0.999**update) + 1e-16)
            logits = logits.clip(-12, 12)
            now = Policy(1 / (1 + np.exp(-logits[0])), 10, 0.95, 1 / (1 + 9 * np.exp(-logits[1])))
        shares.append(now.accuracy > 0.5)
    assert np.mean(shares) > 0.7 if takes_off else np.mean(shares) < 0.3
    assert (recovered(policy, 16, 128, 100, 3e-4) > 0.5) == takes_off


def test_a_misconception_stops_a_majority_that_even_guesses_would_not():
    even, agreed = Policy(0.1, 10), Policy(0.1, 10, favourite=0.64, shared=False)
    assert moments(even, 16)[0][0] > 0 > moments(agreed, 16)[0][0]
    assert moments(agreed, 16, labels=True)[0][0] > 0  # true labels do not care


def test_training_moves_logits_at_most_at_full_speed():
    policy = trained(Policy(0.5, 10), 16, 128, updates=10, learning_rate=3e-4, labels=True)
    assert np.log(policy.skill / (1 - policy.skill)) <= mean_field.RATE * 3e-4 * 10


def test_the_constant_is_what_standard_rl_of_the_committed_study_gives():
    assert rate(standard_runs(Path("reports/study"))) == pytest.approx(mean_field.RATE, rel=0.01)


def test_a_policy_is_read_from_samples_of_the_untrained_model():
    from mtalign.tasks.micro import load

    task = load("arithmetic")
    answers = [{e.answer: 20, **{a: 8 for a in task.answers if a != e.answer}} for e in task.train[:50]]
    base = {
        "config": {"task": "arithmetic", "model": "dose-0.10"},
        "after": {"thinking": 0.1, "correct": [19] * 100, "num_samples": 100},
        "train": {"answers": answers},
    }
    policy = policy_of(base)
    assert policy.skill == 0.1 and policy.shared and policy.competence == pytest.approx(1.0)
    assert 0.1 <= policy.q < 0.16


@pytest.mark.parametrize("wrong", [{"skill": 0.0}, {"answers": 1}, {"competence": 0}, {"favourite": 1.0}])
def test_a_policy_outside_the_model_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Policy(**({"skill": 0.1, "answers": 10} | wrong))


def test_many_policies_at_once_are_each_as_alone():
    skills, own = np.array([0.03, 0.1, 0.4]), {"group": 8, "batch": 64, "updates": 50, "learning_rate": 3e-4}
    for shared in (True, False):
        together = recovered(Policy(skills, 10, 0.9, np.array([0.12, 0.2, 0.3]), shared), **own)
        alone = [recovered(Policy(s, 10, 0.9, q, shared), **own) for s, q in zip(skills, (0.12, 0.2, 0.3), strict=True)]
        assert together == pytest.approx(alone, abs=1e-9) and together[0] < 0.5 < together[2]
    with pytest.raises(ValueError, match="0 < skill < 1"):
        Policy(np.array([0.1, 1.0]), 10)
