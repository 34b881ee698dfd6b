"""A mean-field theory of when a majority grows: one logit decides between working and guessing, one between guesses.

**Model.** A completion of a prompt with n possible answers is *skilled* with probability s: it works, and its answer is
right with probability c, else one of the n - 1 wrong ones, evenly. Otherwise it *guesses*: the favourite guess with
probability q, each other answer with probability (1 - q) / (n - 1). The favourite is one answer for all prompts (a habit,
right on 1 prompt in n) or a wrong answer of each prompt's own (a shared misconception). Two logits hold the policy:

    s = sigmoid(theta),        q = e^u / (e^u + n - 1)

**Reward.** A group of G completions votes; the answer W with most votes m, ties broken evenly, has reward 1. GRPO's
advantage (Shao et al. 2024, arXiv 2402.03300, section 4.1.2; std with Bessel's correction) of its m completions is
(1 - m/G) / std and of the others -(m/G) / std, so that all together sum to 0. Let T_k = E[(1/G) sum of the advantages of
the completions that answer k]. It is computed exactly: y counts the answers that tie, and [x^d] takes a coefficient,

    P(W = k, m votes) = G! p_k^m / m!  integral over y in [0, 1] of  [x^(G - m)]  product over j != k of
                        ( sum over c < m of (p_j x)^c / c!  +  y (p_j x)^m / m! )

(a tie of 1 + t answers is won by k with 1 / (1 + t), the integral of y^t), and the expected votes of a losing answer in
the same way, its factor replaced by x times its derivative. With true labels W is the right answer, if any gives it.

**Drift.** The policy gradient of a logit is the expected sum of advantage times score. As advantages sum to 0,

    D_theta = sum over k of T_k P(skilled | k)
    D_u     = T_F P(guess | F) - q sum over k of T_k P(guess | k)

averaged over prompts (the favourite right, or wrong).

**Speed.** Adam divides the gradient by the root of its mean square. A group's gradient g = (1/G) sum of advantage times score
has the mean D and the mean square M; given winner and votes the scores are independent, those of losing answers as if drawn
without regard to m (exact with true labels). An update of B completions has B / G groups, so

    d theta / d update = RATE lr D_theta / sqrt(D_theta^2 + (M_theta - D_theta^2) G / B),    and the same for u.

A logit moves at full speed where the signal is clear, and by signal over noise where it is not. `RATE`, a logit's step for
each unit of learning rate, is the one constant that is fitted: on learning curves of *standard* RL, never on a majority's.

What follows:
- *Guesses spread evenly*: D_theta > 0 for every s > 0, but of the order s^2, where standard RL has s. A favourite, even a
  slight one, grows at the same time by D_u. The majority takes off where working outruns the favourite: a race.
- *Guesses agree* (a wrong favourite of each prompt): D_theta < 0 below a balance, whatever pass@k and the budget are.
- *Larger groups*, more completions an update: clearer signals, lower thresholds. More answers: likewise.

Mean-field: no noise moves the logits, so that P(take-off) is 0 or 1; working does not get better, only more frequent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtalign.claims.mean_field_votes import label_advantages, vote_advantages

RATE = 565.0  # logit for each unit of learning rate and update: `mean_field_fit.rate` on reports/study


@dataclass(frozen=True)
class Policy:
    """What a model does on a task, in five numbers; or several models, where numbers are arrays of one shape `(...,)`.

    Attributes:
        skill: share of completions that work, s in (0, 1).
        answers: number of possible answers n, at least 2.
        competence: share of skilled completions that are right, c in (0, 1].
        favourite: share of guesses that are the favourite, q in (0, 1); None where all are equally frequent.
        shared: whether the favourite is one answer for all prompts; else it is a wrong answer of each prompt's own.
    """

    skill: float | np.ndarray
    answers: int
    competence: float | np.ndarray = 1.0
    favourite: float | np.ndarray | None = None
    shared: bool = True

    def __post_init__(self):
        skill, competence = np.asarray(self.skill), np.asarray(self.competence)
        known = ((skill > 0) & (skill < 1)).all() and ((competence > 0) & (competence <= 1)).all()
        if not known or self.answers < 2:
            raise ValueError(f"policy: expected 0 < skill < 1, answers >= 2, 0 < competence <= 1, got {self}")
        favourite = np.asarray(0.5 if self.favourite is None else self.favourite)
        if not ((favourite > 0) & (favourite < 1)).all():
            raise ValueError(f"favourite: expected 0 < favourite < 1, got {self.favourite}")

    @property
    def q(self) -> float:
        return 1 / self.answers if self.favourite is None else self.favourite

    @property
    def accuracy(self) -> float:
        """pass@1 over prompts.

        >>> Policy(0.5, 10).accuracy
        0.55
        """
        guess = 1 / self.answers if self.shared else (1 - self.q) / (self.answers - 1)
        return self.skill * self.competence + (1 - self.skill) * guess

    def cases(self) -> list[tuple[float, np.ndarray, np.ndarray, np.ndarray, int]]:
        """Kinds of prompts: their share; of one answer of each class the shares of completions, skilled (..., K) and guessing (..., K);
        answers in each class (K,); the favourite's class.

        The first class is the right answer's.
        """
        n, s, c, q = self.answers, self.skill, self.competence, self.q
        other, slip = (1 - q) / (n - 1), s * (1 - c) / (n - 1)
        right = (s * c, (1 - s) * other, 1), (slip, (1 - s) * q, 1), (slip, (1 - s) * other, n - 2)
        found = [(1 - 1 / n if self.shared else 1.0, *_classes(right), 1)]
        if self.shared:
            found.append((1 / n, *_classes([(s * c, (1 - s) * q, 1), (slip, (1 - s) * other, n - 1)]), 0))
        return found


def _classes(rows: Sequence[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of (skilled, guessing, answers), those without answers left out, as columns."""
    skilled, guessing, number = zip(*(row for row in rows if row[2] > 0), strict=True)
    every = np.stack(np.broadcast_arrays(*skilled, *guessing), axis=-1)
    return every[..., : len(number)], every[..., len(number) :], np.array(number)


def moments(policy: Policy, group: int, labels: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """D and M, (2, ...) each: mean and mean square of a group's gradient, of the logit of working and of the favourite's.

    Args:
        labels: whether true labels are rewarded (standard RL), not the majority.

    >>> bool(moments(Policy(0.05, 10), group=16)[0][0] > 0)  # even guesses: a majority grows at any alignment
    True
    >>> bool(moments(Policy(0.05, 10, favourite=0.5, shared=False), group=16)[0][0] > 0)  # the favourite wins the votes
    False
    """
    m = np.arange(1, group)
    spread = np.sqrt(m * (group - m) / (group * (group - 1)))
    won, lost = (1 - m / group) / spread, m / group / spread
    drift = np.zeros((2, *np.broadcast(policy.skill, policy.competence, policy.q).shape))
    square = np.zeros(drift.shape)
    for weight, skilled, guessing, number, favourite in policy.cases():
        shares, classes = skilled + guessing, np.arange(len(number))
        total, wins = (label_advantages if labels else vote_advantages)(shares, number, group)
        works, guesses = skilled / shares, guessing / shares
        picks = (classes == favourite) - np.asarray(policy.q)[..., None]
        working = works - np.asarray(policy.skill)[..., None], works * (1 - works)
        scores = working, (guesses * picks, guesses * (1 - guesses) * picks**2)
        for logit, (mean, variance) in enumerate(scores):  # of the score, given the answer: (..., K)
            drift[logit] += weight * (number * total * mean).sum(axis=-1)
            for k in (k for k in classes if wins[..., k, :].any()):
                others = (number - (classes == k)) * shares
                others = others / others.sum(axis=-1, keepdims=True)
                middle = (others * mean).sum(axis=-1, keepdims=True)
                apart = (others * (variance + (mean - middle) ** 2)).sum(axis=-1, keepdims=True)
                squares = (m * won * mean[..., k, None] - (group - m) * lost * middle) ** 2
                squares += m * won**2 * variance[..., k, None] + (group - m) * lost**2 * apart
                square[logit] += weight * number[k] * (wins[..., k, 1:] * squares).sum(axis=-1) / group**2
    return drift, square


def speed(policy: Policy, group: int, batch: int, labels: bool = False) -> np.ndarray:
    """The logits' speeds, (2, ...), in units of `RATE` times the learning rate, each between -1 and 1.

    Args:
        batch: completions in an update, B.

    >>> standard, majority = (float(speed(Policy(0.02, 10), 16, 128, labels)[0]) for labels in (True, False))
    >>> round(standard, 3), round(majority, 3)  # 400,000 drawn groups gave 0.851 and 0.189
    (0.851, 0.183)
    """
    drift, square = moments(policy, group, labels)
    noise = np.maximum(square - drift**2, 0) * group / batch
    return drift / np.sqrt(drift**2 + noise + 1e-300)


def trained(
    policy: Policy, group: int, batch: int, updates: int, learning_rate: float, labels: bool = False,
    rate: float = RATE, steps: int = 100,
) -> Policy:  # fmt: skip
    """The policy after training, by Euler's method in `steps` equal steps.

    >>> bool(trained(Policy(0.1, 10), group=16, batch=128, updates=100, learning_rate=3e-4).accuracy > 0.9)
    True
    """
    n = policy.answers
    logits = np.array([np.log(policy.skill / (1 - policy.skill)), np.log(policy.q * (n - 1) / (1 - policy.q))])
    for _ in range(steps):
        logits = np.clip(logits + speed(policy, group, batch, labels) * rate * learning_rate * updates / steps, -12, 12)
        theta, u = logits
        policy = replace(policy, skill=1 / (1 + np.exp(-theta)), favourite=1 / (1 + (n - 1) * np.exp(-u)))
    return policy


def recovered(policy: Policy, group: int, batch: int, updates: int, learning_rate: float, rate: float = RATE):
    """The share, of each model of the policy, of standard RL's gain that the theory lets a majority vote recover; it takes off above one half.

    >>> low, high = (recovered(Policy(s, 10, favourite=0.12), 16, 128, 100, 3e-4) for s in (0.02, 0.1))
    >>> bool(low < 0.5 < high)
    True
    """
    by_votes, by_labels = (
        trained(policy, group, batch, updates, learning_rate, labels, rate).accuracy for labels in (False, True)
    )
    return (by_votes - policy.accuracy) / np.maximum(by_labels - policy.accuracy, 0.01)
