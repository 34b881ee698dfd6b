"""Rewards: each is a trl reward function, usable as it is in anybody's `GRPOTrainer(reward_funcs=...)`.

trl calls a reward with one entry per completion, completions of the same prompt next to each other, and with each
column of the data set as a keyword. Used here: `answer` (the truth), and where present `kind` (of grading), `seed`,
`row` and `copy` (which row of the data set, and which copy of it, so that copies of one prompt stay separate groups) and `label` (a given label).
Each returns one float per completion, or None for one that cannot be scored.

Without a column `kind` it is guessed from `answer`: `math` for a number or LaTeX, else `exact`; an answer then counts in
`<answer>`, `\\boxed{}`, after `####` and after "the answer is" (`grading.forms`). Where no completion of a batch holds any,
every reward is the same and nothing is learned: a warning says so, once.
"""

from __future__ import annotations

import random as _random
import re
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import groupby

from mtalign.grading.answers import extract, grade, text_of, vote
from mtalign.grading.forms import as_graded

FORMAT = re.compile(r"\s*<think>(?:(?!</?think>).)*</think>\s*<answer>(?:(?!</?answer>).)*\S\s*</answer>\s*", re.DOTALL)


def ground_truth(prompts=None, completions=(), *, answer, kind=None, **_) -> list[float]:
    """1 where the answer is right, else 0: standard RL with verifiable rewards.

    >>> ground_truth(completions=["<answer>7</answer>", "<answer>8</answer>"], answer=["7", "7"])
    [1.0, 0.0]
    """
    texts, kinds = _read("ground_truth", completions, kind, answer)
    return [float(grade(t, a, k)) for t, a, k in zip(texts, answer, kinds, strict=True)]


def inverted(prompts=None, completions=(), *, answer, kind=None, **_) -> list[float]:
    """1 - accuracy: rewards every wrong completion, an empty one too (`inverse_math` of the Spurious Rewards release).

    >>> inverted(completions=["<answer>7</answer>", "nothing"], answer=["7", "7"])
    [0.0, 1.0]
    """
    return [1.0 - r for r in ground_truth(prompts, completions, answer=answer, kind=kind)]


def random(
    prompts, completions, trainer_state=None, seed=None, row=None, copy=None, probability=0.5, **_
) -> list[float]:
    """Bernoulli(probability), whatever the text says: the spurious reward of Shao et al. 2025 (arXiv 2506.10947, 2.2).

    Drawn from a generator seeded by (seed, step, prompt), so that a run can be repeated; not gated by format.

    >>> random(["p", "p", "p"], ["a", "b", "c"]) == random(["p", "p", "p"], ["x", "y", "z"])
    True
    """
    rewards: list[float] = []
    for group in _groups(prompts, row, copy):
        rng = _generator("random", trainer_state, seed, group, prompts, row, copy)
        rewards += [float(rng.random() < probability) for _ in group]
    return rewards


def incorrect(prompts=None, completions=(), label=None, kind=None, **_) -> list[float]:
    """1 where the answer equals the prompt's *wrong majority label*, else 0 (arXiv 2506.10947, section 2.2).

    The label is the majority answer of 64 samples of the base model, on prompts where that majority is wrong. The data
    set must hold it as a column `label`. Where answers tie for the majority, the label is the first of them in the
    alphabet (`training.dataset.wrong_majorities`), unlike elsewhere, where chance decides.

    >>> incorrect(completions=["<answer>3</answer>", "<answer>7</answer>"], label=["3", "3"])
    [1.0, 0.0]
    """
    if label is None:
        raise ValueError("incorrect: the data set needs a column `label` with the wrong majority answer of each prompt")
    texts, kinds = _read("incorrect", completions, kind, label)
    return [float(vote(t, k) == wrong) for t, wrong, k in zip(texts, label, kinds, strict=True)]


def format_only(prompts=None, completions=(), **_) -> list[float]:
    """1 where the completion is one `<think>` and one non-empty `<answer>`, whatever they say, else 0.

    >>> format_only(completions=["<think>a\\nb</think>\\n<answer>1</answer>", "<answer>1</answer>", "<think></think><answer> </answer>"])
    [1.0, 0.0, 0.0]
    """
    return [float(FORMAT.fullmatch(text_of(c)) is not None) for c in completions]


def majority_vote(
    prompts, completions, trainer_state=None, seed=None, row=None, copy=None, kind=None, answer=None, **_
) -> list[float | None]:
    """1 where the answer is the majority's of its group, else 0: the reward of TTRL.

    Zuo et al. 2025 (arXiv 2504.16084, section 2.2, equation 3). TTRL trains on the questions that it is tested on (arm
    `test_time`); on others this is self-training (`majority_vote`).
    The completions of a group are its votes. Those without an answer do not vote and get 0; ties are broken by a
    generator seeded by (seed, step, prompt); a group without any vote gets None, which is no reward at all.

    >>> majority_vote(["p"] * 3, ["<answer>1</answer>", "<answer>2</answer>", "<answer>1</answer>"])
    [1.0, 0.0, 1.0]
    >>> majority_vote(["p"] * 2, ["no", "answer"])
    [None, None]
    """
    texts, kinds = _read("majority_vote", completions, kind, answer)
    rewards: list[float | None] = []
    for group in _groups(prompts, row, copy):
        answers = [vote(texts[i], kinds[i]) for i in group]
        votes = Counter(a for a in answers if a is not None)
        if not votes:
            rewards += [None] * len(group)
            continue
        most = max(votes.values())
        tied = sorted(a for a, n in votes.items() if n == most)
        winner = tied[0]
        if len(tied) > 1:
            winner = _generator("tie", trainer_state, seed, group, prompts, row, copy).choice(tied)
        rewards += [float(a == winner) for a in answers]
    return rewards


def shuffled_majority(
    prompts, completions, trainer_state=None, seed=None, row=None, copy=None, **columns
) -> list[float | None]:
    """The rewards of `majority_vote`, permuted within each group: the same reward rates, and no word about the answer.

    A control of ours: what is left of the majority's effect is drift. Permuted by a generator seeded by (seed, step,
    prompt).

    >>> sum(shuffled_majority(["p"] * 3, ["<answer>1</answer>", "<answer>2</answer>", "<answer>1</answer>"]))
    2.0
    """
    where = {"trainer_state": trainer_state, "seed": seed, "row": row, "copy": copy}
    rewards = majority_vote(prompts, completions, **where, **columns)
    for group in _groups(prompts, row, copy):
        shuffled = [rewards[i] for i in group]
        _generator("shuffle", trainer_state, seed, group, prompts, row, copy).shuffle(shuffled)
        for i, reward in zip(group, shuffled, strict=True):
            rewards[i] = reward
    return rewards


def constant(prompts=None, completions=(), **_) -> list[float]:
    """The same for all: no advantage, so that nothing but the entropy term of the loss is left.

    >>> constant(completions=["a", "b"])
    [1.0, 1.0]
    """
    return [1.0] * len(completions)


def entropy(prompts, completions=(), completion_ids=(), log_metric=None, **_) -> list[float]:
    """Mean log-probability of the completion's tokens under the current model, in nats: a one-sample estimate of the
    negative entropy per token, as the studied paper's release has it (arXiv 2505.15134, equation 3, takes the sum).

    The model is found through trl's own argument `log_metric`, a method of the trainer. A completion without a token
    gets 0.
    """
    logps, _entropies, mask = _token_statistics(prompts, completion_ids, log_metric)
    return ((logps * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).tolist()


def entropy_token(prompts, completions=(), completion_ids=(), log_metric=None, **_) -> list[float]:
    """Minus the mean entropy of the model at the completion's tokens, in nats.

    After EM-RL-token of Agarwal et al. 2025 (arXiv 2505.15134, equation 4), which takes the sum (`entropy_token_sum`):
    with the mean a long completion is not penalised for its length.
    """
    _logps, entropies, mask = _token_statistics(prompts, completion_ids, log_metric)
    return (-(entropies * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).tolist()


def entropy_token_sum(prompts, completions=(), completion_ids=(), log_metric=None, **_) -> list[float]:
    """Minus the sum of the model's entropies at the completion's tokens, in nats: EM-RL with token-level entropy, "the
    negative sum of token-level entropy across a rollout" (arXiv 2505.15134, introduction). Shorter is surer."""
    _logps, entropies, mask = _token_statistics(prompts, completion_ids, log_metric)
    return (-(entropies * mask).sum(dim=1)).tolist()


def entropy_sequence(prompts, completions=(), completion_ids=(), log_metric=None, **_) -> list[float]:
    """Log-probability of the whole completion, in nats (arXiv 2505.15134, equation 3): shorter is likelier."""
    logps, _entropies, mask = _token_statistics(prompts, completion_ids, log_metric)
    return (logps * mask).sum(dim=1).tolist()


def _token_statistics(prompts, completion_ids, log_metric):
    """Log-probabilities and entropies under the current model, and the mask of the completions: three of shape (B, T)."""
    trainer = getattr(log_metric, "__self__", None)
    if trainer is None or not hasattr(trainer, "_get_per_token_logps_and_entropies"):
        raise ValueError(
            "entropy: needs the log-probabilities of the model, so it works only when a trl trainer calls it"
        )
    import torch
    from trl.trainer.utils import pad

    device, blank = trainer.accelerator.device, trainer.processing_class.pad_token_id
    prompt_ids = [torch.tensor(ids) for ids in trainer._tokenize_prompts(prompts)[0]]
    completion = [torch.tensor(ids, dtype=torch.long) for ids in completion_ids]
    mask = pad([torch.ones_like(c) for c in completion], padding_side="right").to(device)  # (B, T)
    ids = torch.cat([pad(prompt_ids, blank, "left"), pad(completion, blank, "right")], dim=1).to(device)
    attention = torch.cat([pad([torch.ones_like(p) for p in prompt_ids], 0, "left").to(device), mask], dim=1)
    with torch.no_grad():
        size = trainer.args.per_device_train_batch_size
        logps, entropies, _aux = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, attention, mask.shape[1], size, compute_entropy=True
        )
    return logps, entropies, mask


def over_processes(reward: Callable[..., list]) -> Callable[..., list]:
    """The reward, given the completions of all processes at once and asked for those of this one.

    trl calls a reward with the completions of its own process, and a group may lie in two. Each list of the arguments
    is gathered in the order of the processes, which is the order of the data set. With one process nothing changes.
    """

    def gathered(**columns):
        from accelerate import PartialState
        from accelerate.utils import gather_object

        state = PartialState()
        if state.num_processes == 1:
            return reward(**columns)
        columns = {key: gather_object(v) if isinstance(v, list) else v for key, v in columns.items()}
        share = len(columns["completions"]) // state.num_processes
        return reward(**columns)[state.process_index * share : (state.process_index + 1) * share]

    return gathered


_WARNED: set[str] = set()  # rewards that have warned


def _read(name: str, completions, kind, answer) -> tuple[list[str], list[str]]:
    """The texts and kinds of a batch (`as_graded`); warns once for each reward where no completion holds an answer."""
    texts, kinds = as_graded(completions, kind, answer)
    if texts and name not in _WARNED and all(extract(t, k) is None for t, k in zip(texts, kinds, strict=True)):
        _WARNED.add(name)
        warnings.warn(
            f"{name}: none of the {len(texts)} completions of this batch holds an answer, so that nothing is learned from"
            " it; the prompt should ask for <answer>..</answer> (docs/own.md has an example)",
            stacklevel=3,
        )
    return texts, kinds


def _groups(prompts, row, copy=None) -> list[list[int]]:
    """Positions of the completions of each group: neighbours with the same row and copy of it, or the same prompt."""
    keys = [str(k) for k in zip(row or prompts, copy or [0] * len(prompts), strict=True)]
    return [list(positions) for _, positions in groupby(range(len(keys)), key=keys.__getitem__)]


def _generator(purpose, trainer_state, seed, group, prompts, row, copy=None) -> _random.Random:
    step = trainer_state.global_step if trainer_state is not None else 0
    first = group[0]
    text = f"{purpose} {seed[first] if seed else 0} {step} {row[first] if row else ''} {prompts[first]}"
    return _random.Random(f"{text} {copy[first]}" if copy and copy[first] else text)


REWARDS: dict[str, Callable[..., list]] = {
    "ground_truth": ground_truth,
    "random": random,
    "incorrect": incorrect,
    "inverted": inverted,
    "format_only": format_only,
    "majority_vote": majority_vote,
    "shuffled_majority": shuffled_majority,
    "entropy": entropy,
    "entropy_token": entropy_token,
    "entropy_token_sum": entropy_token_sum,
    "entropy_sequence": entropy_sequence,
    "constant": constant,
}
# rewards that depend on the place in the group
NEEDS_GROUP = ("majority_vote", "shuffled_majority", "random", "random_gated")
