"""Grading: completion -> answer -> correct. Pure, linear in the length of the text, never evaluates it."""

from __future__ import annotations

from collections.abc import Callable

MAX_CHARACTERS = 100_000  # of a completion that are looked at, from its end
OPEN, CLOSE = "<answer>", "</answer>"


def text_of(completion: str | list[dict]) -> str:
    """The text of a completion in either of trl's forms, plain or conversational.

    >>> text_of([{"role": "assistant", "content": "hello"}])
    'hello'
    """
    if isinstance(completion, str):
        return completion
    return "".join(str(message.get("content") or "") for message in completion)


def extract(completion: str) -> str | None:
    """The text of the last complete `<answer>` of a completion, stripped; None where there is none.

    >>> extract("<think>maybe <answer>1</answer></think><answer> 42 </answer>")
    '42'
    >>> extract("<think>42</think>") is None
    True
    """
    text = completion[-MAX_CHARACTERS:]
    end = text.rfind(CLOSE)
    start = text.rfind(OPEN, 0, end) if end >= 0 else -1
    if start < 0:
        return None
    return text[start + len(OPEN) : end].strip() or None


def exact(answer: str, truth: str) -> bool:
    """Whether the two are the same text, spaces at the ends aside."""
    return answer.strip() == truth.strip()


def choice(answer: str, truth: str) -> bool:
    """Whether the two name the same choice: case, brackets and a final full stop aside.

    >>> choice("(b).", "B")
    True
    """
    return _bare(answer) == _bare(truth)


def _bare(text: str) -> str:
    return text.strip().rstrip(".").strip("()[] ").casefold()


GRADERS: dict[str, Callable[[str, str], bool]] = {"exact": exact, "choice": choice}


def grade(completion: str, answer: str, kind: str = "exact") -> bool:
    """Whether the completion's answer is right.

    Args:
        completion: model text, untrusted.
        answer: the true answer.
        kind: a key of `GRADERS`.

    Raises:
        KeyError: there is no such kind.

    >>> grade("<think>1+1</think><answer>2</answer>", "2")
    True
    >>> grade("2", "2")
    False
    """
    grader = GRADERS[kind]
    found = extract(completion)
    return found is not None and grader(found, answer)
