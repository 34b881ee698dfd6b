"""Diagnose: how well is a model aligned with a task, and which techniques are to be expected to work there?

Alignment is measured as in the study, prompt after prompt until its interval is narrow enough, or read from samples that
there are already (`sample_logs`). It is compared with the alignment at which each claim flipped in the study
(`thresholds`). Intervals are Wilson's over prompts: a prompt counts as one coin, however many samples it has, which is
conservative, holds for few prompts, and is not fooled by prompts that all agree.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtalign.claims import thresholds
from mtalign.claims.verdicts import CLAIMS, generator, panel
from mtalign.config.errors import ConfigError
from mtalign.grading.answers import grader, vote
from mtalign.metrics import chance_corrected, maj_at_k_counts, pass_at_k_counts
from mtalign.speed.cpu import use_fastest_threads
from mtalign.stats import wilson
from mtalign.tasks.options import plain

FEWEST = 16  # prompts before sampling may stop
SURE, LIKELY = 0.9, 0.75  # probability from which a verdict is given plainly, or as probable; else it is `uncertain`
STEPS = (0, 2, 6, 12, *range(20, 10_000, 8))  # prompts after which there is an estimate: the first one soon


@dataclass(frozen=True)
class Sampled:
    """The samples of one prompt: how many, how many right, the votes (None: no answer), and which of these are right.

    `guess` is the probability that one sample is right by guessing, where the question is known (`records.guess_rates`).
    """

    number: int
    correct: int
    votes: Counter | None = None
    right: frozenset[str] = frozenset()
    guess: float | None = None


def tally(
    completions: list[str], answer: str, kind: str, chance: float | None = None, options: tuple[str, ...] = ()
) -> Sampled:
    """Grades the completions of a prompt; `chance` of its answer, and the `options` that stand in it, where they are known.

    >>> found = tally(["<answer>1</answer>", "<answer>1.0</answer>", "?"], "1", "math")
    >>> found.correct, sorted(found.right), found.votes[None]
    (2, ['1'], 1)
    """
    votes = Counter(vote(text, kind) for text in completions)
    right = frozenset(a for a in votes if a is not None and grader(kind)(a, answer))
    if chance is not None and options:
        shown = set(map(plain, options))
        chance *= sum(n for a, n in votes.items() if a is not None and plain(a) in shown) / len(completions)
    return Sampled(len(completions), sum(votes[a] for a in right), votes, right, chance)


def measure(sampled: list[Sampled], chance: float) -> dict[str, dict[str, float]]:
    """Alignment from samples: name -> value, low, high. pass@4 needs four samples of each prompt, maj@N votes.

    `chance` holds for all prompts where it is not known of each (`Sampled.guess`).
    """
    fewest = min(s.number for s in sampled)
    guess = [chance if s.guess is None else s.guess for s in sampled]
    found = {}
    for k in (k for k in (1, 4) if k <= fewest):
        values = [pass_at_k_counts([s.correct], s.number, k)[0] for s in sampled]
        found[f"pass@{k}"] = ends = _ends(float(np.mean(values)), len(sampled))
        found[f"chance-corrected pass@{k}"] = {n: float(chance_corrected(v, guess, k)) for n, v in ends.items()}
    if fewest > 1 and all(s.votes is not None for s in sampled):
        counts, right = [dict(s.votes) for s in sampled], [set(s.right) for s in sampled]
        wins = maj_at_k_counts(counts, right, fewest, generator())
        found[f"maj@{fewest}"] = _ends(float(wins.mean()), len(sampled))
    return found


def _ends(value: float, number: int) -> dict[str, float]:
    low, high = wilson(value, number)
    return {"value": value, "low": low, "high": high}


def decisive(alignment: dict) -> str:
    """The measure that is compared with thresholds: pass@4 where there is one, else pass@1, corrected for chance."""
    return next(name for name in thresholds.MEASURES if name in alignment)


def expected(alignment: dict) -> dict[str, dict]:
    """What to expect of each claim, from the study's thresholds.

    Returns:
        claim -> `verdict` (holds, probably holds, uncertain, probably fails, fails, or unknown where the study has no
        threshold), `probability` that it holds (alignment lies above the flip, both uncertain: `trusted`), `flip`, `low`, `high`, `pairs` and `right` as in
        `thresholds.compute`, and `paper`: what the studied paper expects.
    """
    name = decisive(alignment)
    level, table = alignment[name], thresholds.load()
    spread = max(level["high"] - level["low"], 1e-9) / (2 * 1.96)
    draws = generator().normal((level["high"] + level["low"]) / 2, spread, size=4000)
    draws = np.clip(draws, 0.0, 1.0)  # a model that hardly answers is far below chance, and as good as at it
    paper = panel(level["value"])
    found: dict[str, dict] = {}
    for claim in CLAIMS.values():
        known = table["measures"][name].get(claim.name)
        found[claim.name] = {"verdict": "unknown", "arm": claim.arm, "paper": getattr(claim, paper)}
        if claim.arm == "standard":
            share = table["standard"]["right"] / table["standard"]["pairs"]
            found[claim.name] |= {"verdict": _verdict(share), "probability": round(share, 2)} | table["standard"]
        elif known:
            ends = [known["low"], known["flip"], known["high"]]
            above = trusted(float(np.interp(draws, ends, [0.025, 0.5, 0.975]).mean()), known)
            found[claim.name] |= {"verdict": _verdict(above), "probability": round(above, 2)} | known
    return found


def trusted(above: float, known: dict) -> float:
    """The probability that a claim holds where alignment lies above its flip with the probability `above`.

    A threshold is trusted as often as it was right on pairs it was not made from, by Laplace's rule of succession: one
    that rests on four pairs cannot say more than five in six.

    >>> round(trusted(1.0, {"right": 4, "pairs": 4}), 2), round(trusted(1.0, {"right": 18, "pairs": 18}), 2)
    (0.83, 0.95)
    """
    right, pairs = (known[key] + known.get(f"other_{key}", 0) for key in ("right", "pairs"))
    trust = (right + 1) / (pairs + 2)
    return trust * above + (1 - trust) * (1 - above)


def _verdict(probability: float) -> str:
    word = "holds" if probability > 0.5 else "fails"
    sure = max(probability, 1 - probability)
    return word if sure >= SURE else f"probably {word}" if sure >= LIKELY else "uncertain"


def result(sampled: list[Sampled], about: dict) -> dict:
    """The card as a dict: what was measured, and what to expect. `about` holds at least `chance`."""
    if not sampled:
        raise ConfigError("diagnose: there are no samples")
    alignment = measure(sampled, about["chance"])
    name = decisive(alignment)
    table = thresholds.load()
    return about | {
        "prompts": len(sampled),
        "samples": min(s.number for s in sampled),
        "answered": None
        if any(s.votes is None for s in sampled)
        else 1 - sum(s.votes[None] for s in sampled) / sum(s.number for s in sampled),
        "alignment": alignment,
        "compared": name,
        "panel": panel(alignment[name]["value"]),
        "expected": expected(alignment),
        "rests_on": f"{len(table['pairs'])} pairs of micro models of 85 thousand parameters and tasks, in the study"
        f" `{table['study']}`; for a model or a task of another size or kind it is an extrapolation",
    }


def sequential(batches: Iterable[list[Sampled]], chance: float, precision: float) -> Iterator[list[Sampled]]:
    """All samples so far after each batch, until the decisive interval is at most `precision` to either side."""
    sampled: list[Sampled] = []
    for batch in batches:
        sampled = sampled + batch
        yield sampled
        found = measure(sampled, chance)
        level = found[decisive(found)]
        if len(sampled) >= FEWEST and (level["high"] - level["low"]) / 2 <= precision:
            return


def diagnose(
    model: str,
    task: str,
    num_samples: int | None = None,
    prompts: int = 100,
    precision: float = 0.1,
    temperature: float = 1.0,
    max_tokens: int | None = None,
    style: str = "think",
    seed: int = 0,
    progress: Callable[[dict, float], None] = lambda found, seconds: None,
) -> dict:
    """Measures a model's alignment with a task by sampling held-out prompts.

    Args:
        num_samples: of a prompt, at least 4; None for 64 of a shipped model, else 8.
        prompts: at most.
        precision: half the width of the interval of chance-corrected pass@4 from which on it is narrow enough.
        max_tokens: of a completion; None for 20 on a micro task, else 128.
        progress: called with each result so far and the seconds since the start. An interrupt keeps what there is.

    Raises:
        ConfigError: the model or the task cannot be had.
    """
    from mtalign.generation.prompts import render
    from mtalign.generation.sampling import sample
    from mtalign.models.load import check_names, is_micro, load_model
    from mtalign.tasks.registry import load_task
    from mtalign.tasks.rows import demonstrations

    began = time.monotonic()
    check_names([(model, task)], "diagnose")
    known, (loaded, tokenizer) = load_task(task), load_model(model, exact=False)
    if not is_micro(model):
        use_fastest_threads(loaded)
    number = num_samples or (64 if is_micro(model) else 8)
    tokens = max_tokens or (128 if known.instruction else 20)
    examples = known.eval[:prompts]

    def batches() -> Iterator[list[Sampled]]:
        for start, end in pairwise(STEPS):
            if batch := examples[start:end]:
                texts = [render(tokenizer, e.prompt, known.instruction, style, demonstrations(known)) for e in batch]
                drawn = sample(loaded, tokenizer, texts, number, tokens, seed + start, temperature)
                yield [
                    tally(d, e.answer, e.kind or known.kind, known.chance_of(e), e.options)
                    for d, e in zip(drawn, batch, strict=True)
                ]

    about = {"model": model, "task": task, "chance": known.chance, "chance_is": known.chance_is}
    about |= {"temperature": temperature, "style": style, "seed": seed}
    found: dict = {}
    try:
        for sampled in sequential(batches(), known.chance, precision):
            found = result(sampled, about)
            progress(found, time.monotonic() - began)
    except KeyboardInterrupt:
        if not found:
            raise
        found["stopped"] = "interrupted"
        return found
    found["stopped"] = "no more prompts" if found["prompts"] == len(examples) else "the interval is narrow enough"
    return found
