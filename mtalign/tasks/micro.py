"""The micro tasks: small enough for a model of 85 thousand parameters to learn in minutes, on a CPU.

They have one worked solution each, which ends in the answer, and answers that are uniform over the
possible ones: ten of them, so that the best answer that ignores the question is right one time in ten, or 640 (`totals`),
so that guessing is hardly ever right. The question of `ordering` lists four digits, so that naming one of them is right
one time in four (`Task.chance`); the untrained models guess among all ten, so name one of the four 0.4 of the time.

| task | question | working | answer |
| --- | --- | --- | --- |
| arithmetic | add and subtract 1 or 2 four times, keep the last digit | the running totals | digit |
| arithmetic-4, arithmetic-100 | the same, keeping the remainder by 4 or by 100 | the running totals | one of 4, of 100 |
| ordering | which listed digit comes next on the circle 0..9 | the digits passed on the way | digit |
| cipher | send a letter through three fixed rotors, in five turns | the letter after each rotor | letter a..j |
| logic | nine of ten suspects are ruled out: who remains? | the suspects in order, up to who remains | digit |
| totals | as arithmetic, with all running totals as the answer | the running totals | four digits |
| programs | write a program of three inputs with these outputs: where all are 0, and as they become 1 one after the other | each output, and how the next one differs | a program |

`programs` asks for a digit plus or minus some of the inputs or twice them, in the stack language of `grading.programs`. Several
programs are right, and one counts as right that is right on the four inputs shown and on sixteen others; two that do the same vote
for the same. Guesses are drawn from 2,370 programs of this kind, and `Example.chance` is the share of these that is right, by enumeration.

One reader beats chance: who answers an arithmetic task with the number that its question begins with is right as often as four
changes cancel out (`FIRST_SHOWN`: 0.14 instead of 0.1, 0.28 of 0.25, 0.14 of 0.01). Chance leaves this reader out, as untrained models
do not answer that way: in the map they name that number in 0.10, 0.25 and 0.012 of their completions, as even guessing does. Models
whose wrong guesses agree (`agree` of `models.dialled`) are the exception, as that number is their misconception: they name it in 0.30.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate, product
from typing import NamedTuple

from mtalign.grading import programs
from mtalign.tasks.base import EVAL_PROMPTS, SPLIT_SEED, TRAIN_PROMPTS, Example, Task

DIGITS = "0123456789"
LETTERS = "abcdefghij"


# Rotors of the cipher task: fixed permutations of the ten letters, drawn once.
ROTORS = {name: "".join(random.Random(f"rotor {name}").sample(LETTERS, 10)) for name in "xyz"}


def _arithmetic(rng: random.Random, modulus: int = 10, name: str = "arithmetic") -> Example:
    width = len(str(modulus - 1))
    total, prompt, work = rng.randrange(modulus), "", []
    start = f"{total:0{width}d}"
    for _ in range(4):
        change = rng.choice(CHANGES)
        total = (total + change) % modulus
        prompt += f"{change:+d}"
        work.append(f"{total:0{width}d}")
    return Example(f"{name}: {start}{prompt}=", work[-1], "".join(work))


def _ordering(rng: random.Random) -> Example:
    start = rng.randrange(10)
    listed = rng.sample([d for d in range(10) if d != start], 4)
    digit = (start + 1) % 10
    work = str(digit)
    while digit not in listed:
        digit = (digit + 1) % 10
        work += str(digit)
    prompt = f"ordering: {''.join(map(str, listed))} after {start}="
    return Example(prompt, str(digit), work, options=tuple(map(str, listed)))


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


def _programs(rng: random.Random) -> Example:
    """Outputs while the inputs are switched on, one after the other. Programs name them in order, or one half of them backwards."""
    first, changes, backwards = rng.randrange(10), rng.choice(programs.CHANGES), rng.random() < 0.5
    answer = programs.written(first, changes, backwards)
    shown = "".join(map(str, programs.outputs(answer)[: len(programs.SHOWN)]))
    work = "".join(digit + change for digit, change in zip(shown, changes, strict=False))
    return Example(f"programs: {shown}=", answer, work, chance=programs.blind_rate(answer))


CHANGES = (1, 2, -1, -2)
FIRST_SHOWN = {  # task -> how often the number that a question begins with is its answer: of 256 rows of changes, those that cancel
    "arithmetic": 36 / 256,
    "arithmetic-4": 72 / 256,
    "arithmetic-100": 36 / 256,
}
TOTALS = tuple(
    "".join(str(total % 10) for total in accumulate((first, *changes)))
    for first in range(10)
    for changes in product(CHANGES, repeat=3)
)


class Micro(NamedTuple):
    """What a micro task is made of."""

    draw: Callable[[random.Random], Example]
    answers: Sequence[str]  # what guesses are drawn from
    description: str
    kind: str = "exact"
    base_rate: float | None = None  # of the best single answer, where it is not one in `answers`


MICRO: dict[str, Micro] = {
    "arithmetic": Micro(_arithmetic, DIGITS, "running sum of four steps of 1 or 2, last digit"),
    "ordering": Micro(_ordering, DIGITS, "the listed digit that comes next on the circle 0..9"),
    "cipher": Micro(_cipher, LETTERS, "a letter sent through three fixed rotors, in five turns"),
    "logic": Micro(_logic, DIGITS, "nine of ten suspects are ruled out: who remains"),
    "totals": Micro(
        _totals, TOTALS, "all running totals of four steps of 1 or 2: an answer that guessing hardly ever hits"
    ),
    "arithmetic-4": Micro(
        partial(_arithmetic, modulus=4, name="arithmetic-4"),
        DIGITS[:4],
        "running sum of four steps of 1 or 2, modulo 4",
    ),
    "arithmetic-100": Micro(
        partial(_arithmetic, modulus=100, name="arithmetic-100"),
        tuple(f"{number:02d}" for number in range(100)),
        "running sum of four steps of 1 or 2, modulo 100",
    ),
    "programs": Micro(
        _programs,
        programs.FORMS,
        "a program in a small stack language that turns inputs into outputs: of several right ones any",
        kind="program",
        base_rate=1 / 1250,
    ),
}


@lru_cache
def load(name: str) -> Task:
    """The micro task called `name`: its first prompts held out, the next ones trained on."""
    draw, answers, description, kind, base_rate = MICRO[name]
    rng = random.Random(f"{SPLIT_SEED} {name}")
    unique: dict[str, Example] = {}
    while len(unique) < TRAIN_PROMPTS + EVAL_PROMPTS:
        example = draw(rng)
        unique.setdefault(example.prompt, example)
    examples = tuple(unique.values())
    train, held_out = examples[EVAL_PROMPTS:], examples[:EVAL_PROMPTS]
    return Task(name, description, train, held_out, tuple(answers), kind, base_rate=base_rate)


def pretraining_examples(name: str, rng: random.Random) -> Iterator[Example]:
    """Endless examples of a micro task for pretraining: never a training or evaluation prompt of the task."""
    task = load(name)
    kept_out = {e.prompt for e in task.train + task.eval}
    draw = MICRO[name].draw
    while True:
        example = draw(rng)
        if example.prompt not in kept_out:
            yield example


def slipped(example: Example, answers: Sequence[str], rng: random.Random) -> Example:
    """The example of an arithmetic task with a slip in its working: from one of its steps on all totals are off by as much.

    The step and the error are drawn evenly, so that each wrong answer is equally frequent.

    Args:
        answers: of the task, in order.

    >>> slipped(Example("arithmetic: 4+2+1-1-2=", "4", "6764"), DIGITS, random.Random(1))
    Example(prompt='arithmetic: 4+2+1-1-2=', answer='6', work='6986')
    """
    width = len(answers[0])
    totals = [int(example.work[i : i + width]) for i in range(0, len(example.work), width)]
    step, error = rng.randrange(len(totals)), rng.randrange(1, len(answers))
    totals[step:] = [(total + error) % len(answers) for total in totals[step:]]
    work = "".join(answers[total] for total in totals)
    return Example(example.prompt, work[-width:], work)


def misconception(example: Example, answers: Sequence[str]) -> str:
    """A wrong answer that is the question's own: what it begins with, or where that is right the answer after it.

    >>> misconception(Example("arithmetic: 4+2+1-1-2=", "4"), DIGITS)
    '5'
    >>> misconception(Example("arithmetic: 4+2+1-1-1=", "5"), DIGITS)
    '4'
    """
    first = example.prompt.partition(": ")[2][: len(answers[0])]
    return first if first != example.answer else answers[(answers.index(first) + 1) % len(answers)]
