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

from dataclasses import dataclass, replace
from math import factorial

import numpy as np
from scipy.special import factorial as factorials

MORE = 50  # values on a circle beyond the degree that is asked for
RATE = 565.0  # logit for each unit of learning rate and update: `mean_field_fit.rate` on reports/study


@dataclass(frozen=True)
class Policy:
    """What a model does on a task, in five numbers.

    Attributes:
        skill: share of completions that work, s in (0, 1).
        answers: number of possible answers n, at least 2.
        competence: share of skilled completions that are right, c in (0, 1].
        favourite: share of guesses that are the favourite, q in (0, 1); None where all are equally frequent.
        shared: whether the favourite is one answer for all prompts; else it is a wrong answer of each prompt's own.
    """

    skill: float
    answers: int
    competence: float = 1.0
    favourite: float | None = None
    shared: bool = True

    def __post_init__(self):
        if not (0 < self.skill < 1 and self.answers >= 2 and 0 < self.competence <= 1):
            raise ValueError(f"policy: expected 0 < skill < 1, answers >= 2, 0 < competence <= 1, got {self}")
        if self.favourite is not None and not 0 < self.favourite < 1:
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

    def cases(self) -> list[tuple[float, np.ndarray, int]]:
        """Kinds of prompts: (their share, rows of (skilled, guessing, answers) for each class of answers, the favourite's row).

        The first row is the right answer's; `skilled` and `guessing` are shares of completions for one answer of the class.
        """
        n, s, c, q = self.answers, self.skill, self.competence, self.q
        other, slip = (1 - q) / (n - 1), s * (1 - c) / (n - 1)
        wrong = [[s * c, (1 - s) * other, 1], [slip, (1 - s) * q, 1], [slip, (1 - s) * other, n - 2]]
        found = [(1 - 1 / n if self.shared else 1.0, np.array(wrong), 1)]
        if self.shared:
            found.append((1 / n, np.array([[s * c, (1 - s) * q, 1], [slip, (1 - s) * other, n - 1]]), 0))
        return found


def vote_advantages(shares: np.ndarray, number: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one answer of each class, where the majority is rewarded.

    Returns:
        T (K,), the expected sum of its advantages divided by G, and (K, G) the probability that it wins with m votes.

    Args:
        shares: (K,) probability of each answer of a class; `number @ shares` is 1.
        number: (K,) answers in each class, all of the same probability.
        group: completions G, at most 170 (170! is the largest that a float holds).

    >>> vote_advantages(np.array([0.6, 0.4]), np.array([1, 1]), group=3)[0].round(4)  # 2/sqrt(3) p q (p - q)
    array([ 0.0554, -0.0554])
    """
    shares, number = np.asarray(shares, dtype=float), np.asarray(number, dtype=int)
    total, wins = np.zeros(len(shares)), np.zeros((len(shares), group))
    for m in range(1, group):  # with m = G votes there is no spread
        spread = np.sqrt(m * (group - m) / (group * (group - 1)))
        won, lost = (1 - m / group) / spread, (m / group) / spread
        y, weights = np.polynomial.legendre.leggauss((group // m + 1) // 2)  # exact: at most G / m answers tie
        y, weights = (y[:, None] + 1) / 2, weights / 2
        # A coefficient by values on a circle where its term is among the largest. Terms of a degree higher by the number of
        # values are added to it: there are none with more values than degrees; else they are negligible, as the coefficient of
        # x^d is at most 1 / d! (winners' probabilities sum to 1 within 1e-13 in groups of 64).
        points = min(max(int(number.sum()) * m, group), group - m + MORE) + 1
        x = (group - m) * np.exp(2j * np.pi * np.arange(points) / points)  # (X,)
        at = x ** -(group - m) / points
        counts = np.arange(m + 1)[:, None, None, None]
        terms = (shares[:, None, None] * x) ** counts / factorials(counts)  # (m + 1, K, 1, X)
        factors = terms[:-1].sum(axis=0) + y * terms[-1]  # (K, Y, X)
        slopes = (counts * terms)[:-1].sum(axis=0) + m * y * terms[-1]
        for winner, share in enumerate(shares):
            ways = factorial(group) * share**m / factorial(m)
            left = number - (np.arange(len(shares)) == winner)
            if left[winner] < 0:
                continue
            rest = (factors ** left[:, None, None]).prod(axis=0)  # (Y, X)
            wins[winner, m] = ways * float((weights @ rest @ at).real)
            total[winner] += wins[winner, m] * m * won
            for other in np.flatnonzero(left):  # one answer of this class loses to each of the winner's, but to itself
                less = left - (np.arange(len(shares)) == other)
                votes = slopes[other] * (factors ** less[:, None, None]).prod(axis=0)
                total[other] -= ways * float((weights @ votes @ at).real) * lost * (number[winner] - (other == winner))
    return total / group, wins


def label_advantages(shares: np.ndarray, number: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """As `vote_advantages`, where the one answer of the first class is rewarded: standard RL.

    >>> label_advantages(np.array([0.5, 0.5]), np.array([1, 1]), group=2)[0].round(4)  # right and wrong, half of the time
    array([ 0.1768, -0.1768])
    """
    p, m = float(shares[0]), np.arange(1, group)
    ways = np.array([factorial(group) / factorial(k) / factorial(group - k) for k in m.tolist()])
    wins = np.zeros((len(shares), group))
    wins[0, 1:] = ways * p**m * (1 - p) ** (group - m)
    gain = (wins[0, 1:] * np.sqrt(m * (group - m) * (group - 1) / group)).sum() / group
    total = -gain * np.asarray(shares, dtype=float) / (1 - p)
    total[0] = gain
    return total, wins


def moments(policy: Policy, group: int, labels: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """D and M, (2,) each: mean and mean square of a group's gradient, of the logit of working and of the favourite's.

    Args:
        labels: whether true labels are rewarded (standard RL), not the majority.

    >>> bool(moments(Policy(0.05, 10), group=16)[0][0] > 0)  # even guesses: a majority grows at any alignment
    True
    >>> bool(moments(Policy(0.05, 10, favourite=0.5, shared=False), group=16)[0][0] > 0)  # the favourite wins the votes
    False
    """
    drift, square, m = np.zeros(2), np.zeros(2), np.arange(1, group)
    spread = np.sqrt(m * (group - m) / (group * (group - 1)))
    won, lost = (1 - m / group) / spread, m / group / spread
    for weight, rows, favourite in policy.cases():
        rows = rows[rows[:, 2] > 0]
        skilled, guessing, number = rows.T
        shares = skilled + guessing
        total, wins = (label_advantages if labels else vote_advantages)(shares, number, group)
        works, guesses = skilled / shares, guessing / shares
        picks = (np.arange(len(shares)) == favourite) - policy.q
        scores = (works - policy.skill, works * (1 - works)), (guesses * picks, guesses * (1 - guesses) * picks**2)
        for logit, (mean, variance) in enumerate(scores):  # of the score, given the answer: (K,)
            drift[logit] += weight * (number @ (total * mean))
            for k in np.flatnonzero(wins.sum(axis=1)):
                others = (number - (np.arange(len(shares)) == k)) * shares
                others = others / others.sum()
                middle = others @ mean
                apart = others @ (variance + (mean - middle) ** 2)
                squares = (m * won * mean[k] - (group - m) * lost * middle) ** 2
                squares += m * won**2 * variance[k] + (group - m) * lost**2 * apart
                square[logit] += weight * number[k] * (wins[k, 1:] @ squares) / group**2
    return drift, square


def speed(policy: Policy, group: int, batch: int, labels: bool = False) -> tuple[float, float]:
    """The logits' speeds in units of `RATE` times the learning rate, each between -1 and 1.

    Args:
        batch: completions in an update, B.

    >>> standard, majority = (speed(Policy(0.02, 10), 16, 128, labels)[0] for labels in (True, False))
    >>> round(standard, 3), round(majority, 3)  # 400,000 drawn groups gave 0.851 and 0.189
    (0.851, 0.183)
    """
    drift, square = moments(policy, group, labels)
    noise = np.maximum(square - drift**2, 0) * group / batch
    return tuple((drift / np.sqrt(drift**2 + noise + 1e-300)).tolist())


def trained(
    policy: Policy, group: int, batch: int, updates: int, learning_rate: float, labels: bool = False,
    rate: float = RATE, steps: int = 100,
) -> Policy:  # fmt: skip
    """The policy after training, by Euler's method in `steps` equal steps.

    >>> trained(Policy(0.1, 10), group=16, batch=128, updates=100, learning_rate=3e-4).accuracy > 0.9
    True
    """
    n = policy.answers
    theta, u = np.log(policy.skill / (1 - policy.skill)), np.log(policy.q * (n - 1) / (1 - policy.q))
    for _ in range(steps):
        moves = speed(policy, group, batch, labels)
        theta, u = np.clip(np.array([theta, u]) + np.array(moves) * rate * learning_rate * updates / steps, -12, 12)
        policy = replace(policy, skill=float(1 / (1 + np.exp(-theta))), favourite=float(1 / (1 + (n - 1) * np.exp(-u))))
    return policy


def recovered(policy: Policy, group: int, batch: int, updates: int, learning_rate: float, rate: float = RATE) -> float:
    """The share of standard RL's gain that the theory lets a majority vote recover; it takes off above one half.

    >>> low, high = (recovered(Policy(s, 10, favourite=0.12), 16, 128, 100, 3e-4) for s in (0.02, 0.1))
    >>> low < 0.5 < high
    True
    """
    by_votes, by_labels = (
        trained(policy, group, batch, updates, learning_rate, labels, rate).accuracy for labels in (False, True)
    )
    return (by_votes - policy.accuracy) / max(by_labels - policy.accuracy, 0.01)
