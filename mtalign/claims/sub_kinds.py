"""Sub-kinds of a task: questions that are alike in how they are solved, so that one can ask whether one example teaches its kind.

A sub-kind is read from the question and its working, never from the answer: a memorised answer must not look like a skill
that carries over to its kind. `logic` has none, since there the working is as long as the answer is large.
"""

from __future__ import annotations

from collections.abc import Callable

from mtalign.tasks.base import Example


def steps_down(example: Example) -> str:
    """How many of the changes of a running sum go down.

    >>> steps_down(Example("arithmetic: 4+2+1-1-2=", "4", "6764"))
    '2 steps down'
    """
    return f"{example.prompt.count('-', example.prompt.index(':'))} steps down"


def passed(example: Example) -> str:
    """How many digits are passed on the circle up to the answer.

    >>> passed(Example("ordering: 4816 after 1=", "4", "234"))
    '3 digits on'
    """
    return f"{len(example.work)} digits on"


def first_rotor(example: Example) -> str:
    """The rotor that the letter goes through first.

    >>> first_rotor(Example("cipher: a through xyzzy=", "b"))
    'rotor x first'
    """
    return f"rotor {example.prompt.partition(' through ')[2][0]} first"


SUB_KINDS: dict[str, Callable[[Example], str]] = {
    "arithmetic": steps_down,
    "arithmetic-4": steps_down,
    "arithmetic-100": steps_down,
    "totals": steps_down,
    "ordering": passed,
    "cipher": first_rotor,
}


def sub_kinds(task: str, examples: list[Example] | tuple[Example, ...]) -> list[str]:
    """The sub-kind of each example of a task; nothing where the task has no sub-kinds, or all examples are of one.

    Of tasks without a rule here, questions that have a verifier of their own (`Example.kind`) are of that kind.

    >>> sub_kinds("logic", [Example("logic: not 013456789=", "2", "012")])
    []
    >>> sub_kinds("totals", [Example("totals: 3+1-2+2-2=", "4242"), Example("totals: 3+1+2+2-2=", "4686")])
    ['2 steps down', '1 steps down']
    """
    rule = SUB_KINDS.get(task, lambda example: example.kind)
    found = [rule(example) for example in examples]
    return found if all(found) and len(set(found)) > 1 else []
