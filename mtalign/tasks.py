"""Tasks: a name -> prompts with known answers, a chance level and disjoint splits.

The micro tasks, here, have one worked solution each, which ends in the answer, and answers that are uniform over the
possible ones: ten of them, so that the best answer that ignores the question is right one time in ten (`Task.chance`), or
640 (`totals`), so that guessing is hardly ever right. `load_task` finds public benchmarks and JSONL files in
`tasks_real`, and generated tasks in `tasks_rg`.

| task | question | working | answer |
| --- | --- | --- | --- |
| arithmetic | add and subtract 1 or 2 four times, keep the last digit | the running totals | digit |
| ordering | which listed digit comes next on the circle 0..9 | the digits passed on the way | digit |
| cipher | send a letter through three fixed rotors, in five turns | the letter after each rotor | letter a..j |
| logic | nine of ten suspects are ruled out: who remains? | the suspects in order, up to who remains | digit |
| totals | the same, with all running totals as the answer | the running totals | four digits |
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, product

from mtalign import plugins

DIGITS = "0123456789"
LETTERS = "abcdefghij"
TRAIN_PROMPTS, EVAL_PROMPTS = 256, 200
SPLIT_SEED = 20260101  # fixes which prompts are held out; never changed by a run's seed


@dataclass(frozen=True)
class Example:
    """One question: `prompt` and `answer` as text, and the `work` that leads to the answer (micro tasks only).

    `kind` is set where this one question is graded otherwise than its task, by a verifier of its own.
    """

    prompt: str
    answer: str
    work: str = ""
    kind: str = field(default="", repr=False)


@dataclass(frozen=True)
class Task:
    """A named set of questions.

    Attributes:
        name: what grid files call it.
        description: one line for people.
        train, eval: disjoint lists of examples; `train` is empty for a benchmark too small to train on.
        answers: the possible answers, as text; guesses are drawn from it; empty for free-form answers.
        kind: how a completion is graded, a key of `grading.GRADERS`.
        instruction: what a model that was not pretrained here is told after the question (`prompts.render`).
        base_rate: the chance level, where it is not one in `answers`.
        chance_is: "given" by the number of choices, or "estimated" from the answers (`estimated_chance`).
    """

    name: str
    description: str
    train: tuple[Example, ...]
    eval: tuple[Example, ...]
    answers: tuple[str, ...]
    kind: str = "exact"
    instruction: str = ""
    base_rate: float | None = None
    chance_is: str = "given"

    @property
    def chance(self) -> float:
        """Accuracy in [0, 1] of the best single answer that ignores the question, on evenly distributed answers."""
        return 1 / len(self.answers) if self.base_rate is None else self.base_rate


# Rotors of the cipher task: fixed permutations of the ten letters, drawn once.
ROTORS = {name: "".join(random.Random(f"rotor {name}").sample(LETTERS, 10)) for name in "xyz"}


def _arithmetic(rng: random.Random) -> Example:
    total, prompt, work = rng.randrange(10), "", []
    start = total
    for _ in range(4):
        change = rng.choice(CHANGES)
        total = (total + change) % 10
        prompt += f"{change:+d}"
        work.append(str(total))
    return Example(f"arithmetic: {start}{prompt}=", work[-1], "".join(work))


def _ordering(rng: random.Random) -> Example:
    start = rng.randrange(10)
    listed = rng.sample([d for d in range(10) if d != start], 4)
    digit = (start + 1) % 10
    work = str(digit)
    while digit not in listed:
        digit = (digit + 1) % 10
        work += str(digit)
    return Example(f"ordering: {''.join(map(str, listed))} after {start}=", str(digit), work)


def _cipher(rng: random.Random) -> Example:
    letter = rng.choice(LETTERS)
    rotors = [rng.choice("xyz") for _ in range(5)]
    prompt, work = f"cipher: {letter} through {''.join(rotors)}=", ""
    for rotor in rotors:
        letter = ROTORS[rotor][LETTERS.index(letter)]
        work += letter
    return Example(prompt, letter, work)


def _logic(rng: random.Random) -> Example:
    suspects = rng.sample(DIGITS, 10)
    who = suspects.pop()
    return Example(f"logic: not {''.join(suspects)}=", who, DIGITS[: int(who) + 1])


def _totals(rng: random.Random) -> Example:
    example = _arithmetic(rng)
    return Example(example.prompt.replace("arithmetic", "totals"), example.work, example.work)


CHANGES = (1, 2, -1, -2)
TOTALS = tuple(
    "".join(str(total % 10) for total in accumulate((first, *changes)))
    for first in range(10)
    for changes in product(CHANGES, repeat=3)
)

MICRO: dict[str, tuple[Callable[[random.Random], Example], Sequence[str], str]] = {
    "arithmetic": (_arithmetic, DIGITS, "running sum of four steps of 1 or 2, last digit"),
    "ordering": (_ordering, DIGITS, "the listed digit that comes next on the circle 0..9"),
    "cipher": (_cipher, LETTERS, "a letter sent through three fixed rotors, in five turns"),
    "logic": (_logic, DIGITS, "nine of ten suspects are ruled out: who remains"),
    "totals": (_totals, TOTALS, "all running totals of four steps of 1 or 2: an answer that guessing hardly ever hits"),
}


def load_task(name: str) -> Task:
    """The task called `name`, the same on every machine and for every seed.

    Args:
        name: a micro task; a benchmark of `tasks_real.REAL`; a group of them or `<task>><task>+<task>`, trained on the first
            and evaluated on the others (`tasks_joined`); `jsonl:<path>?kind=..`, a file with `prompt` and `answer` on each
            line; `rg:<dataset>?size=..&max_digits=..`, generated by reasoning-gym; `calculation-<steps>` (`tasks_fresh`);
            or `module:function` (`plugins`).

    Raises:
        KeyError: there is no such task.
        ConfigError: its data cannot be had, or are broken.

    >>> task = load_task("ordering")
    >>> task.eval[0]
    Example(prompt='ordering: 1693 after 8=', answer='9', work='9')
    >>> {e.prompt for e in task.train} & {e.prompt for e in task.eval}
    set()
    """
    if name in MICRO:
        return _micro(name)
    if ">" in name:
        from mtalign import tasks_joined

        return tasks_joined.load(name)
    if name.startswith("rg:"):
        from mtalign import tasks_rg

        return tasks_rg.load(name)
    from mtalign import tasks_fresh, tasks_joined, tasks_real

    if tasks_fresh.NAME.fullmatch(name):
        return tasks_fresh.load(name)
    if name.startswith("jsonl:"):
        return tasks_real.load_jsonl(name)
    if name in tasks_real.REAL:
        return tasks_real.load(name)
    if name in tasks_joined.GROUPS:
        return tasks_joined.load_group(name)
    if plugins.is_plugin(name):
        return own_task(name)
    known = ", ".join((*MICRO, *tasks_real.REAL, *tasks_joined.GROUPS))
    raise KeyError(
        f"unknown task {name!r}; known: {known}, calculation-<steps>, rg:<dataset>?size=.., jsonl:<path>, or your own as module:function"
    )


@lru_cache
def _micro(name: str) -> Task:
    draw, answers, description = MICRO[name]
    rng = random.Random(f"{SPLIT_SEED} {name}")
    unique: dict[str, Example] = {}
    while len(unique) < TRAIN_PROMPTS + EVAL_PROMPTS:
        example = draw(rng)
        unique.setdefault(example.prompt, example)
    examples = tuple(unique.values())
    return Task(name, description, examples[EVAL_PROMPTS:], examples[:EVAL_PROMPTS], tuple(answers))


@lru_cache
def own_task(name: str) -> Task:
    """The task that `module:function` gives, checked.

    Raises:
        KeyError: the function gives no task, or one whose splits are empty or share a prompt, or of an unknown kind.
    """
    from mtalign.grading import GRADERS

    task = plugins.find(name)()
    if not isinstance(task, Task):
        raise KeyError(f"{name}: gives {type(task).__name__} and not a Task")
    if not task.train or not task.eval or not (task.answers or task.base_rate is not None):
        raise KeyError(f"{name}: train, eval or answers is empty")
    if shared := {e.prompt for e in task.train} & {e.prompt for e in task.eval}:
        raise KeyError(f"{name}: {len(shared)} prompts are both in train and in eval")
    if task.kind not in GRADERS:
        raise KeyError(f"{name}: unknown kind {task.kind!r}; known: {', '.join(GRADERS)}")
    return task


def pretraining_examples(name: str, rng: random.Random) -> Iterator[Example]:
    """Endless examples of a micro task for pretraining: never a training or evaluation prompt of `load_task`."""
    task = load_task(name)
    kept_out = {e.prompt for e in task.train + task.eval}
    draw = MICRO[name][0]
    while True:
        example = draw(rng)
        if example.prompt not in kept_out:
            yield example
