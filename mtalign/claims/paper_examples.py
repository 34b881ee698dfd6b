"""The rules of the paper's claims about one example: is it well chosen (P7), what does it teach (P8), and when nothing (P9).

P7 and P8 leave out a budget at which every run ends at guessing: such runs are alike whatever their example. That was added
after the map's runs of 2,000 updates were seen; in the micro study no budget is left out by it.
"""

from __future__ import annotations

import numpy as np

from mtalign.claims.paper import Evidence, Found
from mtalign.claims.sub_kinds import sub_kinds
from mtalign.claims.take_off import rate
from mtalign.claims.verdicts import BOOTSTRAP_SEED, LEAST_GAIN, signal
from mtalign.records.tables import accuracies
from mtalign.stats import Estimate, interval
from mtalign.tasks.registry import load_task

NOT_TESTED = "not tested here"
SMALL = 0.1  # of accuracy: a smaller advantage counts as none
GUESSING = 0.05  # of accuracy above chance, up to which a run ends at guessing
BUDGET = ("max_steps", "learning_rate", "steps_per_generation", "generation_batch_size", "entropy_coef")
DRAWS = 2000

Ranks = dict[str, list[dict]]  # rank of the example -> records


def _ranks(arms: dict[str, list[dict]]) -> dict[tuple, Ranks]:
    """Budget -> rank of the example -> records, of a pair's arms on one example."""
    found: dict[tuple, Ranks] = {}
    for records in arms.values():
        config = records[0]["config"]
        if config["subset"] == "one_shot" and config["reward"] == "ground_truth" and config["objective"] == "grpo":
            budget = tuple(config.get(name) for name in BUDGET)
            found.setdefault(budget, {}).setdefault(config.get("rank", "best"), records)
    return found


def _tested(found: Evidence) -> tuple[list[tuple[str, Ranks]], str]:
    """The task and the ranks of each pair and budget, without budgets at which every run ends at guessing; why those are left out."""
    cells = [(task, budget, ranks) for (_, task), arms in found.pairs.items() for budget, ranks in _ranks(arms).items()]
    ends: dict[tuple, list[tuple[float, float]]] = {}  # budget -> accuracy at the end and chance, of each run
    for task, budget, ranks in cells:
        chance = load_task(task).chance
        ends.setdefault(budget, []).extend(
            (float(value), chance) for records in ranks.values() for value in accuracies(records).mean(axis=1)
        )
    silent = {budget for budget, runs in ends.items() if all(value <= chance + GUESSING for value, chance in runs)}
    kept = [(task, ranks) for task, budget, ranks in cells if budget not in silent]
    return kept, at_guessing([run for budget in silent for run in ends[budget]])


def at_guessing(runs: list[tuple[float, float]]) -> str:
    """Why runs that end at guessing test nothing, from accuracy and chance of each; nothing where there are none.

    >>> at_guessing([(0.08, 0.1), (0.13, 0.1)])
    'each of 2 runs on one example ends at guessing, whatever the example (accuracy 0.08 to 0.13, guessing 0.10): they test nothing'
    """
    if not runs:
        return ""
    values, chances = ([f"{end:.2f}" for end in (min(each), max(each))] for each in zip(*runs, strict=True))
    guessing = " to ".join(dict.fromkeys(chances))
    return f"each of {len(runs)} runs on one example ends at guessing, whatever the example (accuracy {' to '.join(values)}, guessing {guessing}): they test nothing"


def as_good_as_random(found: Evidence) -> Found:
    """P7: the best example against a random one of the same budget; the median and the worst stand beside it."""
    cells, left_out = _tested(found)
    estimates = {}
    for other in ("random", "median", "worst"):
        differences = []
        for _, of_rank in cells:
            ranks = {rank: {r["config"]["seed"]: r for r in records} for rank, records in of_rank.items()}
            if seeds := sorted(set(ranks.get("best", ())) & set(ranks.get(other, ()))):
                best, rest = (accuracies([ranks[rank][s] for s in seeds]).mean(axis=1) for rank in ("best", other))
                differences.append(best - rest)
        if differences:
            estimates[f"best minus {other}"] = over_pairs(differences)
    if "best minus random" not in estimates:
        if left_out:
            return Found(NOT_TESTED, estimates, left_out)
        because = "no random example was trained on" if estimates else ""
        would = "; would need an arm `one_shot_random: {subset: one_shot, rank: random}`" if estimates else ""
        return Found(NOT_TESTED, estimates, because + would)
    e = estimates["best minus random"]
    outcome = "holds" if e.high < SMALL else "fails" if e.low > 0 else "undecided"
    return Found(outcome, estimates, "; ".join(filter(None, ["seeds paired", left_out])))


def over_pairs(groups: list[np.ndarray]) -> Estimate:
    """The mean over pairs of their means over seeds; pairs are drawn again, and in each its seeds.

    >>> str(over_pairs([np.array([0.1, 0.1]), np.array([0.3, 0.3])]))
    '0.20 [0.10, 0.30]'
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    chosen = (rng.integers(len(groups), size=len(groups)) for _ in range(DRAWS))
    draws = [np.mean([rng.choice(groups[i], len(groups[i])).mean() for i in each]) for each in chosen]
    return interval(float(np.mean([g.mean() for g in groups])), np.array(draws))


def own_kind(found: Evidence) -> Found:
    """P8: what a question gains by being of the example's sub-kind."""
    cells = []  # for each pair and arm, what is left of accuracy (S, P) and of being of the kind, without effects of run and question
    gains: dict[str, list[np.ndarray]] = {"own": [], "other": []}
    runs, (tested, left_out) = 0, _tested(found)
    for task, ranks in tested:
        for records in ranks.values():
            same = of_own_kind(task, records)
            if same is None or len(records) < 2:
                continue
            after, before = accuracies(records), accuracies(records, "before")
            runs += len(records)
            gains["own"].append(
                np.array([(a - b)[m].mean() for a, b, m in zip(after, before, same, strict=True) if m.any()])
            )
            gains["other"].append(np.array([(a - b)[~m].mean() for a, b, m in zip(after, before, same, strict=True)]))
            cells.append((_residual(after), _residual(same.astype(float))))
    cells = [(a, m) for a, m in cells if np.abs(m).max() > 1e-9]
    if not cells:
        return Found(NOT_TESTED, {}, left_out)
    effect = effect_over(cells)
    estimates = {"effect of the own kind": effect}
    estimates |= {
        f"gain on {name} kind{'s' * (name == 'other')}": over_pairs([g for g in each if len(g)])
        for name, each in gains.items()
    }
    outcome = "holds" if effect.low > 0 else "fails" if effect.high < SMALL else "undecided"
    because = f"{runs} runs on one example in {len(cells)} cells of pair and arm"
    return Found(outcome, estimates, "; ".join(filter(None, [because, left_out])))


def of_own_kind(task: str, records: list[dict]) -> np.ndarray | None:
    """Whether each held-out question is of the sub-kind of the run's example (S, P); None where the task has no sub-kinds."""
    known = load_task(task)
    number = len(records[0]["after"]["correct"])
    if not known.train or not (kinds := sub_kinds(task, known.train + known.eval[:number])):
        return None
    held_out = np.array(kinds[len(known.train) :])
    return np.array([held_out == kinds[record["rows"][0]] for record in records])


def _residual(values: np.ndarray) -> np.ndarray:
    """What is left of (S, P) without the means of rows and of columns."""
    return values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()


def effect_over(cells: list[tuple[np.ndarray, np.ndarray]]) -> Estimate:
    """The effect on accuracy of being of the example's kind, by least squares; cells are drawn again, and in each its questions.

    Args:
        cells: residuals (S, P) of accuracy and of being of the kind.
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    products = [((a * m).sum(axis=0), (m * m).sum(axis=0)) for a, m in cells]  # (P,) each

    def slope(top: float, bottom: float) -> float:
        return float(top / bottom) if bottom > 1e-9 else 0.0

    draws = []
    for _ in range(DRAWS):
        top = bottom = 0.0
        for i in rng.integers(len(products), size=len(products)):
            questions = rng.integers(len(products[i][0]), size=len(products[i][0]))
            top, bottom = top + products[i][0][questions].sum(), bottom + products[i][1][questions].sum()
        draws.append(slope(top, bottom))
    value = slope(sum(t.sum() for t, _ in products), sum(b.sum() for _, b in products))
    return interval(value, np.array(draws))


def unsolved(found: Evidence) -> Found:
    """P9: runs on an example that the untrained model never solves: which share of them gains, and had a gradient."""
    gained, pushed, runs = 0, [], 0
    for arms in found.pairs.values():
        if "base" not in arms or "correct" not in arms["base"][0].get("train", {}):
            continue
        solved = arms["base"][0]["train"]["correct"]
        for record in (r for ranks in _ranks(arms).values() for records in ranks.values() for r in records):
            row = record["rows"][0]
            if row < len(solved) and solved[row] == 0:
                runs += 1
                gained += bool((accuracies([record]) - accuracies([record], "before")).mean() >= LEAST_GAIN)
                pushed.append(signal([record]))
    if not runs:
        return Found(NOT_TESTED)
    share = rate(gained, runs)
    outcome = "holds" if share.high < 0.5 else "fails" if share.low > 0.5 else "undecided"
    because = (
        f"{gained} of {runs} such runs gain; in the mean {np.mean(pushed):.2f} of their groups had rewards that differ"
    )
    return Found(outcome, {"share of runs that gain": share}, because)
