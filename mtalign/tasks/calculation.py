"""Freshly generated arithmetic of graded length: `calculation-<steps>`, a task that no corpus can hold.

After RandomCalculation of "Reasoning or Memorization?" (arXiv 2507.10532): expressions of a given number of operations,
drawn at random. Ours keep to whole numbers: a division is drawn only where it leaves no remainder, and no step goes
beyond `LARGEST`, so that each answer is one integer, graded exactly.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache

from mtalign.config.errors import ConfigError
from mtalign.tasks.base import EVAL_PROMPTS, SPLIT_SEED, TRAIN_PROMPTS, Example, Task
from mtalign.tasks.rows import finish

NAME = re.compile(r"calculation-(\d+)")
MOST_STEPS = 20  # as in RandomCalculation
LARGEST = 100_000  # of a step's value: products of many numbers would be longer than the rest of the question


def expression(steps: int, rng: random.Random) -> tuple[str, int]:
    """A random expression with that many operations on whole numbers from 1 to 100, and its value.

    Its two sides are drawn in the same way, with the other operations shared out between them at random. A side with
    operations of its own stands in brackets, but for the left side of a sum or difference.

    >>> text, value = expression(3, random.Random(0))
    >>> text, value == eval(text.replace("/", "//"))
    ('6 * 34 - (52 - 39)', True)
    """
    if steps == 0:
        number = rng.randint(1, 100)
        return str(number), number
    left_steps = rng.randrange(steps)
    left, a = expression(left_steps, rng)
    right, b = expression(steps - 1 - left_steps, rng)
    signs = [s for s, v in (("+", a + b), ("-", a - b), ("*", a * b)) if abs(v) <= LARGEST]
    signs += ["/"] if b and a % b == 0 and abs(b) > 1 else []
    if not signs:  # every operation leaves the range
        return expression(steps, rng)
    sign = rng.choice(signs)
    left = f"({left})" if sign in "*/" and left_steps else left
    right = f"({right})" if " " in right or right.startswith("-") else right
    return f"{left} {sign} {right}", {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[sign]


@lru_cache
def load(name: str) -> Task:
    """The task `calculation-<steps>`.

    Raises:
        ConfigError: the number of steps is out of range.

    >>> load("calculation-2").eval[0].prompt
    'What is the value of 9 + (75 - 79)?'
    """
    steps = int(NAME.fullmatch(name)[1])
    if not 1 <= steps <= MOST_STEPS:
        raise ConfigError(f"task {name}: expected 1 to {MOST_STEPS} steps")
    rng = random.Random(f"{SPLIT_SEED} {name}")
    examples: dict[str, Example] = {}  # by the expression: an expression that is drawn again is no new question
    while len(examples) < TRAIN_PROMPTS + EVAL_PROMPTS:
        text, value = expression(steps, rng)
        examples.setdefault(text, Example(f"What is the value of {text}?", str(value)))
    description = f"random arithmetic of {steps} steps, freshly generated"
    return finish(name, description, list(examples.values()), "math", shuffle=True)
