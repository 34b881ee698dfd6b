"""Options that stand in a question: whose names, which choices, which numbers a reader who cannot solve it would guess from.

Where the options stand in the prompt, the most frequent answer over all questions is no chance level: naming one of the
two or three people of `rg:needle_haystack` is right 0.42 of the time, the most frequent name 0.005. Questions of which
it is known keep their options (`Example.options`); of other tasks the rate of naming what is shown is estimated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

READERS: dict[str, re.Pattern] = {  # what can be named in any prompt
    "names": re.compile(r"\b[A-Z][a-z]+(?:[-'][A-Z]?[a-z]+)*\b"),
    "numbers": re.compile(r"-?\d+(?:\.\d+)?"),
    "choices": re.compile(r"^\(?([A-Z])[).] ", re.MULTILINE),
}
MOST = 40  # different things of a prompt that are tried


def people(prompt: str) -> tuple[str, ...]:
    """Who is spoken of in a question of `rg:needle_haystack`: each statement begins with a name.

    >>> people("Aden execrates salsa. John-Paul waves away trail running. \\nWho execrates salsa? Reply only with a name.")
    ('Aden', 'John-Paul')
    """
    statements = prompt.rpartition("\nWho ")[0] or prompt
    return tuple(dict.fromkeys(re.findall(r"(?:^|\. )([A-Z][\w'-]*)", statements)))


def letters(prompt: str) -> tuple[str, ...]:
    r"""The letters of the choices that a question lists, as lines that begin with (A), (B), ...

    >>> letters("Which?\nOptions:\n(A) one\n(B) two\n(C) three")
    ('A', 'B', 'C')
    """
    return tuple(re.findall(r"^\(([A-Z])\) ", prompt, re.MULTILINE))


OF_DATASET: dict[str, Callable[[str], tuple[str, ...]]] = {"needle_haystack": people}  # of reasoning-gym


def plain(answer: str) -> str:
    """An answer without case, spaces and marks, so that `(A)` is `A`.

    >>> plain(" (John-Paul). ")
    'johnpaul'
    """
    return re.sub(r"[^\w]+", "", answer).casefold() or answer.strip()


def naming_rate(questions: Iterable[tuple[str, str]]) -> float:
    """How often naming one thing that the prompt shows is right: of names, numbers and listed choices the best kind.

    Args:
        questions: pairs of a prompt and its answer.

    >>> naming_rate([("Ann or Bob?", "Bob"), ("Cid or Dan?", "Cid")])
    0.5
    """
    questions = list(questions)
    return max(
        sum(_share(reader.findall(prompt), answer) for prompt, answer in questions) / len(questions)
        for reader in READERS.values()
    )


def _share(shown: Sequence[str], answer: str) -> float:
    named = list(dict.fromkeys(shown))[:MOST]
    return sum(plain(n) == plain(answer) and (n[:1] == "-") == (answer[:1] == "-") for n in named) / max(1, len(named))
