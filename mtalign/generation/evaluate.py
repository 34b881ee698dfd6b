"""What a model can do on a task's examples: sampled and greedy completions, graded and counted, as a record keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mtalign.config.arms import Style
from mtalign.generation.prompts import render
from mtalign.generation.sampling import sample, sample_and_greedy
from mtalign.grading.answers import grade, grader, vote
from mtalign.metrics import maj_at_k_counts
from mtalign.tasks.base import Example
from mtalign.tasks.rows import DEMONSTRATIONS


def evaluate(
    model,
    tokenizer,
    examples: Sequence[Example],
    kind: str,
    num_samples: int,
    max_tokens: int,
    seed: int,
    temperature: float = 1.0,
    instruction: str = "",
    style: Style = "think",
    shown: Sequence[tuple[str, str]] = DEMONSTRATIONS,
    joint: bool = True,
) -> dict:
    """What a model can do on P examples: the evidence kept in a record.

    Args:
        kind: how examples are graded that do not say it themselves.
        num_samples: completions drawn of each prompt (N).
        max_tokens: of a completion, at most.
        instruction, style, shown: how a question becomes a prompt, as in `prompts.render`.
        joint: how random numbers are drawn, as in `sampling.sample_and_greedy`.

    Returns:
        `num_samples` (N); lists of P: `correct` (right samples, 0 to N), `answers` (answer as `grading.answers.vote`
        has it, "" for none -> number of samples), `right` (which of these answers are right; left out where all are
        graded as `exact`), `majority` (whether the most frequent answer is right; of equally frequent ones, the share
        that is) and `greedy` (whether the greedy completion is right); `thinking`, the share of samples with a
        non-empty `<think>`; `samples`, at most ten completions to read.
    """
    prompts = [render(tokenizer, e.prompt, instruction, style, shown) for e in examples]
    asked = (model, tokenizer, prompts)
    if style == "bare":
        sampled, greedy = sample_and_greedy(*asked, num_samples, max_tokens, seed, temperature, joint)
    else:
        sampled = sample(*asked, num_samples, max_tokens, seed, temperature)
        greedy = sample(*asked, 1, max_tokens, seed, temperature=0)
    flat = [text for texts in sampled for text in texts]
    kinds = [e.kind or kind for e in examples]
    counts = [Counter(vote(t, k) for t in texts) for k, texts in zip(kinds, sampled, strict=True)]
    truth: list = [e.answer for e in examples]
    judged = {}
    if any(k != "exact" for k in kinds):  # several answers can be right
        truth = [
            {a for a in count if a is not None and grader(k)(a, e.answer)}
            for k, e, count in zip(kinds, examples, counts, strict=True)
        ]
        judged["right"] = [sorted(right) for right in truth]
    majority = maj_at_k_counts(counts, truth, num_samples, np.random.default_rng(seed))
    return judged | {
        "num_samples": num_samples,
        "correct": [
            sum(grade(t, e.answer, k) for t in texts) for k, e, texts in zip(kinds, examples, sampled, strict=True)
        ],
        "answers": [dict(sorted((a or "", n) for a, n in count.items())) for count in counts],
        "majority": [round(share, 3) for share in majority.tolist()],
        "greedy": [grade(t[0], e.answer, k) for k, e, t in zip(kinds, examples, greedy, strict=True)],
        "thinking": sum(is_thinking(t) for t in flat) / len(flat),
        "samples": [
            {"prompt": e.prompt, "answer": e.answer, "completion": t[0]} for e, t in zip(examples, sampled, strict=True)
        ][:10],
    }


def is_thinking(text: str) -> bool:
    """Whether the completion shows working.

    >>> is_thinking("<think>676</think><answer>6</answer>"), is_thinking("<think></think><answer>6</answer>")
    (True, False)
    """
    _, tag, after = text.partition("<think>")
    return bool(tag) and bool(after.partition("</think>")[0].strip())
