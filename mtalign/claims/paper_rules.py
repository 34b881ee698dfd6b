"""The rules of the paper's claims: `paper.Evidence` -> `paper.Found`, one for each of P1 to P14."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from mtalign.claims.paper import CODE, Evidence, Found, is_clean
from mtalign.claims.paper_examples import as_good_as_random, own_kind, unsolved
from mtalign.claims.take_off import rate
from mtalign.claims.verdicts import BOOTSTRAP_SEED, CLAIMS, LEAST_GAIN, STRONG, alignment
from mtalign.config.labels import label
from mtalign.records.tables import accuracies
from mtalign.stats import SMALLEST_GAIN, Estimate, bootstrap_ci, draw_means, interval, recovered

NOT_TESTED = "not tested here"
ALIKE = 0.05  # of alignment, within which two pairs count as equal
FEWEST = 10  # couples of such pairs, before "none differs" is said to hold
DRAWS = 2000


def gains_everywhere(found: Evidence) -> Found:
    """P1: standard RL gains in every pair."""
    pairs = {pair: arms for pair, arms in found.pairs.items() if {"base", "standard"} <= set(arms)}
    pairs = {pair: arms for pair, arms in pairs.items() if 1 - accuracies(arms["base"]).mean() >= LEAST_GAIN}
    if not pairs:
        return Found(NOT_TESTED)
    level = 1 - 0.05 / len(pairs)
    gains = [
        bootstrap_ci([accuracies(arms["standard"]), accuracies(arms["base"])], np.subtract, BOOTSTRAP_SEED, level, 20_000, (0, 1))
        for arms in pairs.values()
    ]  # fmt: skip
    gained = sum(g.low > 0 for g in gains)
    not_gained = [model for (model, _), g in zip(pairs, gains, strict=True) if g.high < SMALLEST_GAIN]
    outcome = "fails" if not_gained else "holds" if gained == len(gains) else "undecided"
    because = f"it gains in {gained} of {len(gains)} pairs, and in {len(not_gained)} it does not"
    because += f" ({', '.join(dict.fromkeys(not_gained))})" if not_gained else ""
    because += (
        ": a dose of 0 is a base model that was never taught"
        if any(name.endswith("-0.00") for name in not_gained)
        else ""
    )
    return Found(outcome, {"smallest gain": min(gains, key=lambda g: g.value)}, because)


def only_when_strong(*claims: str) -> Callable[[Evidence], Found]:
    """The rule of P2, P4, P5, P6 and P10: enough in strong pairs, and not in weak ones, for all these claims."""

    def rule(found: Evidence) -> Found:
        rows = found.verdicts[found.verdicts["claim"].isin(claims) & found.verdicts["verdict"].isin(["holds", "fails"])]
        counts = {p: rows[rows["panel"] == p]["verdict"].value_counts().to_dict() for p in ("strong", "weak")}
        because = "; ".join(
            f"{panel}: enough in {n.get('holds', 0)}, not enough in {n.get('fails', 0)} decided pairs"
            for panel, n in counts.items()
        )
        estimates = {
            f"share of standard RL's gain in {panel} pairs{f', {label(arm)}' * (len(claims) > 1)}": estimate
            for arm in (ARMS[claim] for claim in claims)
            for panel in ("strong", "weak")
            if (estimate := pooled_share(found, arm, panel)) is not None
        }
        if not estimates:
            return Found(NOT_TESTED)
        if counts["strong"].get("fails") or counts["weak"].get("holds"):
            return Found("fails", estimates, because)
        if not rows.empty and all(counts.values()):
            return Found("holds", estimates, because)
        missing = [panel for panel, number in counts.items() if not number]
        return Found("undecided", estimates, f"{because}; no decided pair is {' or '.join(missing)}")

    return rule


ARMS = {
    "random_reward": "random", "incorrect_reward": "incorrect", "majority_vote": "majority_vote", "entropy_reward": "entropy",
    "one_example": "one_shot", "negative_samples": "nsr",
}  # fmt: skip


def panel_of(arms: dict[str, list[dict]]) -> str:
    """The panel of a pair, by its untrained model."""
    return "strong" if alignment(arms["base"][0]).value >= STRONG else "weak"


def pooled_share(found: Evidence, arm: str, panel: str) -> Estimate | None:
    """The share of standard RL's gain over the prompts of all pairs of a panel; None where no pair has something to recover.

    Of pairs with different numbers of seeds the first seeds count that all have.
    """
    drawn = []
    for arms in found.pairs.values():
        if not {"base", "standard", arm} <= set(arms) or panel_of(arms) != panel:
            continue
        three = [accuracies(arms[name]) for name in (arm, "standard", "base")]
        if three[1].mean() - three[2].mean() >= LEAST_GAIN:
            number = min(len(three[0]), len(three[1]))
            drawn.append([three[0][:number], three[1][:number], three[2]])
    if not drawn:
        return None
    means, values = _pooled(drawn)
    return interval(float(recovered(*values)), recovered(*means))


def _pooled(drawn: list[list[np.ndarray]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draws and values of each arm's mean over pairs; seeds of different pairs are drawn apart."""
    each = [draw_means(arms, np.random.default_rng([BOOTSTRAP_SEED, i]), DRAWS, (0, 1)) for i, arms in enumerate(drawn)]
    means = [np.mean(draws, axis=0) for draws in zip(*each, strict=True)]
    return means, [np.array(np.mean([a.mean() for a in arms])) for arms in zip(*drawn, strict=True)]


def needs_no_contamination(found: Evidence) -> Found:
    """P3: among strong pairs with generated questions."""
    clean = found.of(is_clean).verdicts
    rows = clean[clean["claim"].isin(["random_reward", "incorrect_reward"]) & (clean["panel"] == "strong")]
    decided = rows[rows["verdict"].isin(["holds", "fails"])]
    held = int((decided["verdict"] == "holds").sum())
    if decided.empty:
        return Found(NOT_TESTED if rows.empty else "undecided", {}, "" if rows.empty else "no strong pair is decided")
    outcome = "holds" if held else "fails" if len(decided) >= 3 else "undecided"
    because = f"enough in {held} of {len(decided)} decided strong pairs with generated questions"
    return Found(outcome, {"share of pairs": rate(held, len(decided))}, because)


def positive_when_weak(found: Evidence) -> Found:
    """P11: `psr` minus `nsr` over all weak pairs; the released definitions beside them."""
    estimates = {}
    for one, other in (("psr", "nsr"), ("psr_released", "nsr_released")):
        drawn = [
            [accuracies(arms[one]), accuracies(arms[other])]
            for arms in found.pairs.values()
            if {"base", one, other} <= set(arms) and panel_of(arms) == "weak" and len(arms[one]) == len(arms[other])
        ]
        if drawn:
            means, values = _pooled(drawn)
            estimates[f"{label(one)} minus {label(other)}"] = interval(
                float(values[0] - values[1]), means[0] - means[1]
            )
            pairs = len(drawn)
    original = f"{label('psr')} minus {label('nsr')}"
    if original not in estimates:
        return Found(NOT_TESTED, estimates)
    e = estimates[original]
    outcome = "holds" if e.low > 0 else "fails" if e.high < 0 else "undecided"
    return Found(outcome, estimates, f"over {pairs} weak pairs")


def entropy_and_exploration(found: Evidence) -> Found:
    """P12: `nsr` keeps more entropy than `psr`; in weak pairs what keeps more ends less accurate."""
    differences, entropies, reached = [], [], []
    for arms in found.pairs.values():
        if not {"base", "psr", "nsr"} <= set(arms) or len(arms["psr"]) != len(arms["nsr"]):
            continue
        kept = {
            arm: np.array([np.nanmean(_numbers(r["curve"]["entropy"])) for r in arms[arm]]) for arm in ("psr", "nsr")
        }
        differences.append(kept["nsr"] - kept["psr"])
        if panel_of(arms) == "weak":
            both = np.concatenate([kept["psr"], kept["nsr"]])
            accuracy = np.concatenate([accuracies(arms[arm]).mean(axis=1) for arm in ("psr", "nsr")])
            entropies.append(both - both.mean())
            reached.append(accuracy - accuracy.mean())
    if not differences:
        return Found(NOT_TESTED)
    slower = _mean_over_runs(differences)
    estimates = {f"entropy, {label('nsr')} minus {label('psr')}, in nats": slower}
    if not entropies or len(np.concatenate(entropies)) < 6:
        return Found("undecided", estimates, "too few weak runs")
    together = rank_correlation(np.concatenate(entropies), np.concatenate(reached))
    estimates["rank correlation of entropy and accuracy"] = together
    wrong = slower.high < 0 or together.low > 0
    outcome = "fails" if wrong else "holds" if slower.low > 0 and together.high < 0 else "undecided"
    return Found(
        outcome, estimates, f"{sum(map(len, differences))} pairs of runs; {sum(map(len, entropies))} weak runs"
    )


def _numbers(values: list) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _mean_over_runs(groups: list[np.ndarray]) -> Estimate:
    """The mean over pairs of their means over seeds; pairs drawn again, and in each its seeds."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    draws = [np.mean([rng.choice(groups[i], len(groups[i])).mean() for i in rng.integers(len(groups), size=len(groups))]) for _ in range(DRAWS)]  # fmt: skip
    return interval(float(np.mean([g.mean() for g in groups])), np.array(draws))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Spearman's rank correlation with its bootstrap interval over runs.

    >>> found = rank_correlation(np.arange(9.0), -np.arange(9.0))
    >>> round(found.value, 2), found.high < 0
    (-1.0, True)
    """
    from scipy.stats import rankdata

    rng, draws = np.random.default_rng(BOOTSTRAP_SEED), []
    for chosen in (rng.integers(len(a), size=len(a)) for _ in range(DRAWS)):
        if np.ptp(a[chosen]) > 0 and np.ptp(b[chosen]) > 0:
            draws.append(np.corrcoef(rankdata(a[chosen]), rankdata(b[chosen]))[0, 1])
    return interval(float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]), np.array(draws))


def in_code(found: Evidence) -> Found:
    """P13: the claims of its rule, on tasks of code alone."""
    part = found.of(lambda pair: pair[1].startswith(CODE))
    if not part.pairs:
        return Found(NOT_TESTED)
    each = {name: RULES[name](part).outcome for name in ("P1", "P2", "P4", "P6", "P10")}
    decided = {name: outcome for name, outcome in each.items() if outcome in ("holds", "fails")}
    outcome = "fails" if "fails" in decided.values() else "holds" if decided else "undecided"
    return Found(outcome, {}, ", ".join(f"{name} {outcome}" for name, outcome in each.items()))


def alike_at_equal_alignment(found: Evidence) -> Found:
    """P14: couples of pairs of different tasks and equal alignment, for arms that are enough in some pairs alone."""
    rows = found.verdicts[
        found.verdicts["verdict"].isin(["holds", "fails"]) & (found.verdicts["claim"] != "standard_rl")
    ]
    same, couples, apart = 0, 0, []
    for claim, these in rows.groupby("claim", sort=False):
        if these["verdict"].nunique() < 2:
            continue
        for a, b in combinations(these.itertuples(), 2):
            if a.task != b.task and abs(a.alignment - b.alignment) <= ALIKE:
                couples, same = couples + 1, same + (a.verdict == b.verdict)
                apart += [
                    f"{label(CLAIMS[claim].arm if claim in CLAIMS else claim)} on {a.model}, {a.task} and on {b.model}, {b.task}"
                ] * (a.verdict != b.verdict)
    if not couples:
        return Found(NOT_TESTED)
    outcome = "fails" if apart else "holds" if couples >= FEWEST else "undecided"
    because = f"{same} of {couples} couples are alike" + (f"; apart, for one: {apart[0]}" if apart else "")
    return Found(outcome, {"share of couples": rate(same, couples)}, because)


RULES: dict[str, Callable[[Evidence], Found]] = {
    "P1": gains_everywhere,
    "P2": only_when_strong("random_reward", "incorrect_reward"),
    "P3": needs_no_contamination,
    "P4": only_when_strong("majority_vote"),
    "P5": only_when_strong("entropy_reward"),
    "P6": only_when_strong("one_example"),
    "P7": as_good_as_random,
    "P8": own_kind,
    "P9": unsolved,
    "P10": only_when_strong("negative_samples"),
    "P11": positive_when_weak,
    "P12": entropy_and_exploration,
    "P13": in_code,
    "P14": alike_at_equal_alignment,
}
