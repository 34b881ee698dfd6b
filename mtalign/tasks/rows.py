"""Rows -> a task: reading files and the Hub, checking every row, splitting, estimating chance."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from mtalign.config.errors import ConfigError, RunError
from mtalign.grading.answers import extract
from mtalign.tasks.base import EVAL_PROMPTS, SPLIT_SEED, Example, Task
from mtalign.tasks.options import naming_rate

INSTRUCTION = (
    "Think first, then answer. Write your reasoning between <think> and </think>, then only the final answer between"
    " <answer> and </answer>, like this: <think>reasoning</think><answer>final answer</answer>"
)
SHOWN, LONGEST_SHOWN = (
    3,
    400,
)  # questions before a question in the style `direct`, and characters of each at most, in the mean
DEMONSTRATIONS = (  # where the task's own are too long or too few: a number, a choice, a word
    ("A box holds 4 red and 5 blue pens. How many pens are in 3 boxes?", "27"),
    ("Which is the largest?\n(A) a mouse\n(B) an elephant\n(C) a cat", "(B)"),
    ("Is a whale a fish? Answer Yes or No.", "No"),
)
VERL_SUFFIX = "Let's think step by step and output the final answer within \\boxed{}."  # of dsr-sub; ours says <answer>


def demonstrations(task: Task, number: int = SHOWN) -> Sequence[tuple[str, str]]:
    """Questions with answers to show before a question: the task's own, from the end of what it can be trained on, or
    general ones where these are too long or too few.

    Raises:
        RunError: more are asked for than there are of either.

    >>> from mtalign.tasks import load_task
    >>> demonstrations(load_task("calculation-1"))[0], demonstrations(load_task("calculation-1"), 0)
    (('What is the value of 85 * 32?', '2720'), ())
    """
    if not number:
        return ()
    last = [(e.prompt, e.answer) for e in task.train[-number:]]
    if len(task.train) >= 10 * number and sum(len(q) + len(a) for q, a in last) <= LONGEST_SHOWN * number:
        return last
    if number > len(DEMONSTRATIONS):
        raise RunError(
            f"shots: {task.name} can show at most {len(DEMONSTRATIONS)}: its own questions are too long or too few for {number}"
        )
    return DEMONSTRATIONS[:number]


def finish(
    name: str,
    description: str,
    examples: Sequence[Example],
    kind: str,
    chance: float | None = None,
    *,
    eval_: Sequence[Example] | None = None,
    shuffle: bool = False,
    train: bool = True,
) -> Task:
    """A task of the examples: copies of a prompt dropped, split in two, checked.

    Args:
        chance: of the best single answer; None to estimate it, and how often naming what the prompt shows is right.
        eval_: held out instead of a part of the examples.
        shuffle: whether to shuffle before splitting.
        train: whether a part is kept to train on.

    Raises:
        ConfigError: there are too few examples for two splits.
    """
    unique = list({e.prompt: e for e in reversed(examples)}.values())[::-1]
    if shuffle:
        random.Random(f"{SPLIT_SEED} {name}").shuffle(unique)
    if eval_ is not None:
        held_out = {e.prompt for e in eval_}
        kept, eval_ = [e for e in unique if e.prompt not in held_out], list(eval_)
    elif train:
        number = min(EVAL_PROMPTS, len(unique) // 2)
        kept, eval_ = unique[number:], unique[:number]
    else:
        kept, eval_ = [], unique[:EVAL_PROMPTS]
    if not eval_:
        raise ConfigError(f"task {name}: expected at least 2 different prompts, got {len(unique)}")
    assert not {e.prompt for e in kept} & {e.prompt for e in eval_}
    task = Task(name, description, tuple(kept), tuple(eval_), (), kind, INSTRUCTION)
    frequent = estimated_chance([e.answer for e in eval_])
    if chance is not None:
        return dataclasses.replace(task, base_rate=chance, blind_rate=frequent)
    if all(e.options for e in eval_):
        return dataclasses.replace(task, base_rate=frequent)
    named = naming_rate((e.prompt, e.answer) for e in eval_)
    return dataclasses.replace(task, base_rate=frequent, blind_rate=named, chance_is="estimated")


def estimated_chance(answers: Sequence[str]) -> float:
    """How often the most common answer is right on *another* question: (its count - 1) / (answers - 1).

    >>> estimated_chance(["3", "3", "3", "1", "2"]), estimated_chance(["a", "b"])
    (0.5, 0.0)
    """
    return (max(Counter(answers).values()) - 1) / max(1, len(answers) - 1)


def example_of(where: str, number: int, row: dict, columns: tuple[str, str], unit: str = "row") -> Example:
    """Raises `ConfigError` where a column is missing, or holds no text or number, or is blank."""
    texts = []
    for key in columns:
        value = row.get(key)
        if key == "prompt" and not isinstance(value, str) and isinstance(value, Iterable):
            value = "\n".join(message["content"] for message in value)  # a conversation
        elif key == "answer" and value is None and "solution" in row:
            value = boxed(row["solution"])
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            instead = f"got {value!r:.40}" if key in row else f"not there; there are: {', '.join(row) or 'none'}"
            raise ConfigError(f"{where}: {unit} {number}: {key}: expected text, {instead}")
        texts.append(str(value).strip())
        if not texts[-1]:
            raise ConfigError(f"{where}: {unit} {number}: {key}: is blank, and no completion could ever match it")
    prompt, answer = texts
    if "####" in answer:  # GSM8K: the worked solution, then the answer
        answer = answer.rpartition("####")[2].strip().replace(",", "")
    return Example(prompt.removesuffix(VERL_SUFFIX).strip(), answer)


def boxed(solution: str) -> str:
    r"""The answer of a worked solution as in MATH: what its last `\boxed` or `\fbox` holds; "" where there is none.

    >>> boxed(r"a $\boxed{1}$, so $\boxed{\frac{1}{2}}$."), boxed(r"is $\boxed 2$."), boxed("none")
    ('\\frac{1}{2}', '2', '')
    """
    text = re.sub(r"\\boxed\s*(?=[^\s{])([^$\n]*)", r"\\boxed{\1}", solution.replace("\\fbox", "\\boxed"))
    return (extract(text, "math") or "") if "\\boxed" in text else ""


def ground_truth(reward_model: dict) -> str:
    """The answer in a row of verl."""
    return str(reward_model.get("ground_truth") or "")


def in_game_data(extra_info: dict) -> str:
    """The answer in a row of SynLogic: in `game_data_str`, which is JSON; "" where only its verifier knows what is right.

    >>> in_game_data({"game_data_str": '{"question": "..", "answer": [1, "a"]}'}), in_game_data({"game_data_str": "{}"})
    ('[1, "a"]', '')
    """
    try:
        answer = json.loads(extra_info["game_data_str"]).get("answer")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    if answer in (None, "", [], {}):
        return ""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def apart(examples: Sequence[Example], others: Iterable[Example], kind: str) -> list[Example]:
    r"""The examples that are not among the others, compared without spaces and case, in mathematics without symbols.

    >>> one, two = Example(r"What is $\tfrac{1}{2}$ ?", "1"), Example("Who?", "me")
    >>> apart([one, two], [Example(r"what is \tfrac12?", "1")], "math") == [two]
    True
    """
    ignored = r"[\W_]+" if kind == "math" else r"\s+"
    known = {re.sub(ignored, "", e.prompt).casefold() for e in others}
    return [e for e in examples if re.sub(ignored, "", e.prompt).casefold() not in known]
