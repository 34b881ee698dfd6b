"""The studied paper's claims (arXiv 2508.21188), P1 to P14, each with a rule that records alone decide.

`paper_verdicts.judged` gives each an outcome by kind of model, micro or pretrained: holds, fails, undecided, or not tested here. "Enough" is
more than half of what standard RL gains, as in `claims.verdicts`, whose verdicts after Holm's correction are used wherever
one claim about one arm is meant; an interval is of 95%, over seeds and prompts. The rules were stated after the micro study's
records were made and before any was computed, so that they are descriptions of those records and predictions for others. After the
map's records were seen, P7 and P8 came to leave out budgets at which every run ends at guessing, and P14 to compare levels in a map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mtalign.claims.verdicts import correct, verdicts
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.records.tables import complete_arms, grouped
from mtalign.stats import Estimate
from mtalign.tasks.micro import MICRO

PAPER = "arXiv 2508.21188"
OUTCOMES = ("holds", "fails", "undecided", "not tested here")
CODE = ("programs", "mbpp")  # tasks of code begin so


@dataclass(frozen=True)
class PaperClaim:
    """A claim of the paper.

    Attributes:
        name: P1 to P14.
        words: what it says, in ours.
        numbers: of the paper, as excerpted in public reading notes; "" where none are at hand.
        rule: what decides it here.
        would: what to run where no record can decide it.
        notebook: which shows it.
    """

    name: str
    words: str
    numbers: str
    rule: str
    would: str
    notebook: str = "17_paper_claims"


@dataclass(frozen=True)
class Found:
    """What the records say of a claim.

    Attributes:
        outcome: one of `OUTCOMES`.
        estimates: the numbers that the rule looked at, by what they are.
        because: the counts that it looked at, in words.
    """

    outcome: str
    estimates: dict[str, Estimate] = field(default_factory=dict)
    because: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the rules look at: finished records of pairs, and the verdicts of `claims.verdicts` over all of them."""

    pairs: dict[tuple[str, str], dict[str, list[dict]]]  # (model, task) -> arm -> records by seed
    verdicts: pd.DataFrame

    def of(self, wanted: Callable[[tuple[str, str]], bool]) -> Evidence:
        """The part of it that is about the wanted pairs; verdicts keep the correction over all tests."""
        kept = np.array([wanted((row.model, row.task)) for row in self.verdicts.itertuples()], dtype=bool)
        return Evidence({pair: arms for pair, arms in self.pairs.items() if wanted(pair)}, self.verdicts[kept])


def evidence(blocks: Iterable[list[Run]], records: Records, known: pd.DataFrame | None = None) -> Evidence:
    """The evidence of the blocks of a grid; a pair or a verdict of several blocks counts once.

    Args:
        known: the verdicts, where they have been computed already.
    """
    pairs: dict[tuple[str, str], dict[str, list[dict]]] = {}
    tables = []
    for block in blocks:
        if known is None:
            tables.append(verdicts(block, records))
        for pair, arms in grouped(block, records).items():
            kept = pairs.setdefault(pair, {})
            for arm, found in complete_arms(arms).items():
                if len(found) > len(kept.get(arm, ())):
                    kept[arm] = found
    if known is not None:
        return Evidence(pairs, known)
    everything = pd.concat(tables).drop_duplicates(["model", "task", "claim"])  # as `report.index.verdict_tables` does
    return Evidence(pairs, correct(everything.reset_index(drop=True)))


CLAIMS_OF_THE_PAPER = (
    PaperClaim("P1", "Standard RL gains for every model and task", "Qwen2.5-7B: AIME24 3.3 to 14.2, MATH500 40.8 to 71.0, SynLogic 1.5 to 42.6, operation 27.2 to 82.4, cipher 4.8 to 20.4",
        "In each pair in which at least 0.10 is left to gain, the interval of standard RL's gain, at 95% over all pairs together (Bonferroni), lies above 0; fails where one lies below 0.01", "the arm `standard`", "02_reward_signal"),
    PaperClaim("P2", "Random and incorrect rewards gain only where alignment is strong", "Qwen2.5-7B, random reward: MATH500 40.8 to 57.5, operation 27.2 to 53.6, cipher 4.8 to 3.6; Llama-3.1-8B: MATH500 32.5 to 26.8",
        "Both kinds of reward are enough in every strong pair that is decided and in no weak one, with at least one decided pair of each strength; fails where one is otherwise", "the arms `random` and `incorrect` in strong and in weak pairs", "02_reward_signal"),
    PaperClaim("P3", "Contamination is not needed for that", "Qwen2.5-7B and Llama-3.1-8B on KOR-Bench operation and counterfactual, which are taken for clean: 27.2 to 53.6, 60.4 to 69.2 with random rewards",
        "A random or incorrect reward is enough in one strong pair or more whose questions were generated here, and so are clean; fails where it is not enough in every decided one, which are three or more", "the arms `random` and `incorrect` on a strongly aligned task of generated questions", "10_verdicts"),
    PaperClaim("P4", "Training on the majority's answer works only where alignment is strong", "Qwen2.5-7B: operation 27.2 to 55.6, MATH500 40.8 to 62.1, SynLogic 1.5 to 1.8",
        "As P2, for majority vote", "the arm `majority_vote` in strong and in weak pairs", "05_label_free"),
    PaperClaim("P5", "Minimising entropy works only where alignment is strong", "",
        "As P2, for entropy reward", "the arm `entropy` in strong and in weak pairs", "05_label_free"),
    PaperClaim("P6", "One training example is enough only where alignment is strong", "Qwen2.5-7B, MATH500: 65.2 with one example, 71.0 with all; Llama-3.1-8B, operation: 60.4 to 69.2; none in logic",
        "As P2, for one example", "the arm `one_shot` in strong and in weak pairs", "03_one_shot"),
    PaperClaim("P7", "The chosen example is no better than a random one", "",
        "The difference in accuracy, best example by historical variance minus a random one, over all pairs: holds where its whole interval lies below 0.1, fails where it lies above 0 and reaches 0.1; a budget at which every run ends within 0.05 of guessing tests nothing", "an arm `one_shot_random: {subset: one_shot, rank: random}` beside `one_shot`"),
    PaperClaim("P8", "One example improves its own kind of question and not other kinds: it brings out a skill, and teaches none", "",
        "What it adds to accuracy that a question is of the example's sub-kind, each question compared with itself under examples of other sub-kinds and each run with itself (two-way effects of run and question): holds where the interval lies above 0, fails where it lies below 0.1 and does not lie above 0; a budget at which every run ends within 0.05 of guessing tests nothing", "one-example arms with several seeds on a task with sub-kinds (arithmetic, ordering, cipher)"),
    PaperClaim("P9", "From an example that is never solved nothing is learned, since group normalisation gives it no gradient", "",
        "Of the runs on one example that the untrained model solves in none of its samples, the share that gains 0.10 or more: holds where the interval lies below one half, fails where it lies above", "one-example arms on a task that guessing hardly ever hits: `one_shot_worst` on totals with free-0.02"),
    PaperClaim("P10", "Negative samples alone match standard RL only where alignment is strong", "Qwen2.5-7B: MATH500 68.7 (standard RL 71.0), SynLogic 1.5 (42.6)",
        "As P2, for negatives only", "the arm `nsr` in strong and in weak pairs", "04_negative_samples"),
    PaperClaim("P11", "Where alignment is weak, positive samples alone are better than negative ones", "Qwen2.5-7B, SynLogic: 24.8 with positive samples, 1.5 with negative ones",
        "The difference in accuracy, positives only minus negatives only, seeds and prompts paired, over all weak pairs: holds where its interval lies above 0, fails where it lies below", "the arms `psr` and `nsr` in weak pairs"),
    PaperClaim("P12", "Negative samples slow the collapse of entropy, and where alignment is weak, more exploration goes with worse accuracy", "",
        "Mean entropy along training, negatives only minus positives only, over runs paired by seed, and the rank correlation of mean entropy and final accuracy over weak runs of both, each with their pair's mean taken off: holds where the first interval lies above 0 and the second below, fails where one lies on the other side", "the arms `psr` and `nsr` with several seeds"),
    PaperClaim("P13", "All of it holds for the generation of code", "",
        "P1, P2, P4, P6 and P10 on tasks of programs alone: holds where all that are decided hold, fails where one fails", "the headline arms on a task of programs"),
    PaperClaim("P14", "Pairs of equal alignment behave alike, whatever the model, the task or contamination", "",
        "Of two tasks whose measured alignment (chance-corrected pass@4) differs by at most 0.05, and of arms that are enough in some pairs and not in others: whether both verdicts, where decided, are the same. Fails where one couple differs; holds where none of ten or more does. In a map of models by recipe: fails where its levels do not take off at one threshold on pass@4 (Cochran's Q at the same RL seeds, p below 0.05), else undecided", "a ladder of doses with two tasks or more", "08_dose_response"),
)  # fmt: skip


def is_clean(pair: tuple[str, str]) -> bool:
    """Whether the questions of a task were generated, so that no pretraining can have held them.

    >>> is_clean(("micro-a", "logic")), is_clean(("org/model", "gsm8k"))
    (True, False)
    """
    return pair[1] in MICRO or pair[1].startswith(("rg:", "calculation", "micro:", "programs"))
