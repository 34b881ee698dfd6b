"""A small stack language, and what its programs do: the answers of the micro task `programs`.

A program is a line of one-character instructions. It has three inputs, digits named `a` to `c`, starts with an empty stack, and
its output is the last digit of the one number that it leaves there.

| instruction | what it does to the stack |
| --- | --- |
| `0` to `9` | puts that digit on top |
| `a` `b` `c` | puts that input on top |
| `+` `-` | takes the two numbers on top, puts the lower one plus, or minus, the upper one |
| `x` `z` | the same with twice the upper one: plus, or minus |
| `y` | puts a copy of the number on top |

Programs are untrusted text and are interpreted here, instruction by instruction; Python never executes them. There are no
loops, and three limits: `MAX_STEPS` instructions, `MAX_DEPTH` numbers on the stack, no number beyond `MAX_NUMBER`. A
program that breaks one, takes what is not there, leaves more than one number, or has any other character has no output.

*Two programs are the same answer where they have the same outputs on all `INPUTS`*, on those that a question shows (`SHOWN`) and on
those that it keeps back: `3a+b-` and `3b-a+` are. By this they are graded, and by this they vote (`normal`): a majority by text
would split the votes for one behaviour. What is shown settles a program of this language, so that votes by the shown inputs would be
the same, but for programs that break a limit where inputs are larger.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import lru_cache
from itertools import product

NAMES = "abc"
TIMES = {"+": 1, "-": -1, "x": 2, "z": -2}
SHOWN = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1))
KEPT_BACK = tuple(tuple(random.Random(f"inputs {i}").choices(range(2, 10), k=3)) for i in range(16))
INPUTS = SHOWN + KEPT_BACK
MAX_STEPS, MAX_DEPTH, MAX_NUMBER = 32, 8, 1000


def output(program: str, given: tuple[int, ...]) -> int | None:
    """The digit that a program gives for three inputs; None where it has no output.

    >>> output("3a+bz", (6, 2, 0)), output("ay+", (7, 0, 0)), output("+", SHOWN[0]), output("__import__('os')", SHOWN[0])
    (5, 4, None, None)
    """
    if len(program) > MAX_STEPS:
        return None
    stack: list[int] = []
    for instruction in program:
        if not _step(instruction, stack, given):
            return None
    return stack[0] % 10 if len(stack) == 1 else None


def _step(instruction: str, stack: list[int], given: tuple[int, ...]) -> bool:
    """Carries out one instruction on the stack; False where that cannot be done, or breaks a limit."""
    if instruction in "0123456789":
        stack.append(int(instruction))
    elif instruction in NAMES:
        stack.append(given[NAMES.index(instruction)])
    elif instruction == "y" and stack:
        stack.append(stack[-1])
    elif instruction in TIMES and len(stack) > 1:
        upper, lower = stack.pop(), stack.pop()
        stack.append(lower + TIMES[instruction] * upper)
    else:
        return False
    return len(stack) <= MAX_DEPTH and abs(stack[-1]) <= MAX_NUMBER


@lru_cache(maxsize=8192)
def outputs(program: str) -> tuple[int | None, ...]:
    """What a program gives for each of `INPUTS`.

    >>> outputs("3a+b-")[:4], outputs("3b-a+") == outputs("3a+b-")
    ((3, 4, 3, 3), True)
    """
    return tuple(output(program, given) for given in INPUTS)


def same(answer: str, truth: str) -> bool:
    """Whether two programs give the same, for every input; one without an output for some input is the same as none.

    >>> same(" b3+a+ ", "3a+b+"), same("3a+", "3a-"), same("+", "+")
    (True, False, False)
    """
    found = outputs(answer.strip()[: MAX_STEPS + 1])
    return None not in found and found == outputs(truth.strip())


def written(first: int, changes: str, backwards: bool = False) -> str:
    """The program that changes a digit by each input as `changes` says: by one of `TIMES`, or not at all (`=`).

    >>> written(3, "+-="), written(3, "+-=", backwards=True)
    ('3a+b-', '3b-a+')
    """
    terms = [name + change for name, change in zip(NAMES, changes, strict=True) if change != "="]
    return str(first) + "".join(reversed(terms) if backwards else terms)


CHANGES = tuple(map("".join, product((*TIMES, "="), repeat=len(NAMES))))
FORMS = tuple(  # all programs that begin with a digit and have each input once at most, in order or backwards
    dict.fromkeys(written(*way) for way in product(range(10), CHANGES, (False, True)))
)


def normal(program: str) -> str:
    """One program for all that do the same: the one of `FORMS`, inputs in order, where one of these does.

    Others that do the same (`ay+a+` and `aax`) vote by their text, as do programs without outputs.

    >>> normal("3b-a+"), normal("a3+b-"), normal("ay+"), normal("aax"), normal("+")
    ('3a+b-', '3a+b-', '0ax', 'aax', '+')
    """
    return _forward().get(outputs(program.strip()[: MAX_STEPS + 1]), program.strip())


@lru_cache
def _forward() -> dict[tuple[int | None, ...], str]:
    """Outputs -> the program with inputs in order that has them: 1,250 different ones."""
    return {outputs(form): form for form in (written(*way) for way in product(range(10), CHANGES))}


@lru_cache
def _blind() -> Counter:
    return Counter(map(outputs, FORMS))


def blind_rate(truth: str) -> float:
    """The share of `FORMS` that do what a program does, by enumeration: how often a blind program of this kind is right.

    >>> blind_rate("3a+b-") == 2 / 2370, blind_rate("3a+") == 1 / 2370
    (True, True)
    """
    return _blind()[outputs(truth)] / len(FORMS)
