"""Grading: completion -> answer -> correct. Pure, bounded in time, never evaluates the text.

`mathematics`, `korbench` and `reasoning_gym` hold the kinds of real tasks; what they need is imported at first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mtalign.grading import reasoning_gym

MAX_CHARACTERS = 100_000  # of a completion that are looked at, from its end
MAX_VOTE = 1500  # characters; a longer answer is compared as it is
OPEN, CLOSE = "<answer>", "</answer>"


def text_of(completion: str | list[dict]) -> str:
    """The text of a completion in either of trl's forms, plain or conversational.

    >>> text_of([{"role": "assistant", "content": "hello"}])
    'hello'
    """
    if isinstance(completion, str):
        return completion
    return "".join(str(message.get("content") or "") for message in completion)


def extract(completion: str, kind: str = "exact") -> str | None:
    r"""The answer of a completion, stripped; None where there is none.

    For the kinds `exact` and `choice` it is what the last complete `<answer>` holds, and nothing else. For `math` and
    KOR-Bench the text decides where it stands, in this order:

    1. in the last complete `<answer>`, without a `\boxed{}` or (KOR-Bench) `[[..]]` inside it;
    2. in the last complete `\boxed{}` after any `</think>`;
    3. in the first `[[..]]` there;
    4. on the last line there that begins with `####`, as in GSM8K.

    Without an `<answer>`, the kinds of KOR-Bench have the published order: the *first* `[[..]]` counts; failing that
    `$\boxed{..}$`, then `[..]`.

    >>> extract("<think>maybe <answer>1</answer></think><answer> 42 </answer>")
    '42'
    >>> extract(r"\boxed{1}, no: \boxed{\frac{1}{2}}", "math"), extract("3 + 4 = 7\n#### 7", "math")
    ('\\frac{1}{2}', '7')
    >>> extract("so [[B]]", "korbench-logic"), extract("so [[B]]"), extract("<think>42</think>")
    ('B', None, None)
    """
    text = completion[-MAX_CHARACTERS:]
    end = text.rfind(CLOSE)
    start = text.rfind(OPEN, 0, end) if end >= 0 else -1
    tagged = text[start + len(OPEN) : end] if start >= 0 else None
    if kind in ("exact", "choice"):
        return (tagged or "").strip() or None
    after = text.rpartition("</think>")[2]
    korbench = kind.startswith("korbench-")
    if tagged is not None:
        found = (_double(tagged) if korbench else _boxed(tagged)) or tagged
    elif korbench:
        found = _double(after)
        if found is None and kind != "korbench-puzzle":
            found = _between(after, "$\\boxed{", "}$") or _between(after, "[", "]")
    else:
        found = _boxed(after) or _double(after) or _last_line(after)
    return (found or "").strip() or None


def _between(text: str, opening: str, closing: str) -> str | None:
    start = text.find(opening)
    end = text.find(closing, start + len(opening)) if start >= 0 else -1
    return text[start + len(opening) : end] if end >= 0 else None


def _double(text: str) -> str | None:
    return _between(text, "[[", "]]")


def _boxed(text: str) -> str | None:
    r"""The inside of the last complete `\boxed{}`, the innermost of nested ones."""
    opened: list[tuple[bool, int]] = []  # (whether a box, where its inside begins), of braces that are open
    found, begin = None, -1
    first = text.find("\\boxed")
    for mark in re.finditer(r"\\(boxed\s*\{)|\\.|([{}])", text[first:] if first >= 0 else "", re.DOTALL):
        if mark[1] or mark[2] == "{":
            opened.append((bool(mark[1]), mark.end()))
        elif mark[2] and opened:
            box, start = opened.pop()
            if box and start > begin:
                found, begin = text[first + start : first + mark.start()], start
    return found


def _last_line(text: str) -> str | None:
    """What follows the last `####`, to the end of its line."""
    _, mark, rest = text.rpartition("####")
    return rest.split("\n", 1)[0] if mark else None


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


def math(answer: str, truth: str) -> bool:
    r"""Whether the two are equal mathematics; of a truth with its solution, GSM8K's `#### 18`, the last line counts.

    >>> math(r"\$1,200", "1200"), math(r"\dfrac{2}{4}", r"\frac12"), math("0.33", r"\frac13")
    (True, True, False)
    """
    from mtalign.grading.mathematics import same

    return same(answer, _last_line(truth) or truth)


def _korbench(category: str) -> Callable[[str, str], bool]:
    def equal(answer: str, truth: str) -> bool:
        from mtalign.grading.korbench import CATEGORIES

        truth = truth.strip()
        if truth.startswith("[[") and truth.endswith("]]"):
            truth = truth[2:-2].strip()
        return CATEGORIES[category](answer, truth)

    return equal


GRADERS: dict[str, Callable[[str, str], bool]] = {"exact": exact, "choice": choice, "math": math} | {
    f"korbench-{category}": _korbench(category)
    for category in ("operation", "operation-math", "counterfactual", "logic", "puzzle", "cipher")
}


def grader(kind: str) -> Callable[[str, str], bool]:
    """What compares an answer with the truth: of `GRADERS`, or for `rg:` a verifier of reasoning-gym.

    Raises:
        KeyError: there is no such kind.
    """
    return reasoning_gym.grader(kind) if kind.startswith("rg:") else GRADERS[kind]


def grade(completion: str, answer: str, kind: str = "exact") -> bool:
    """Whether the completion's answer is right.

    Args:
        completion: model text, untrusted.
        answer: the true answer; for KOR-Bench with or without its double brackets.
        kind: a key of `GRADERS`, or of a question of reasoning-gym.

    Raises:
        KeyError: there is no such kind.

    >>> grade("<think>1+1</think><answer>2</answer>", "2")
    True
    >>> grade("2", "2")
    False
    >>> grade("Moving on, the code is [[N F]]", "[[NF]]", "korbench-cipher")
    True
    """
    equal = grader(kind)
    found = extract(completion, kind)
    return found is not None and equal(found, answer)


def canonical(answer: str, kind: str = "exact") -> str:
    r"""One text for answers that are the same, so that votes can be counted; it is graded as the answer is.

    >>> canonical("(b).", "choice"), canonical("0.50", "math"), canonical(r"\frac{1}{2}", "math"), canonical("0.50")
    ('b', '1/2', '1/2', '0.50')
    """
    if kind == "choice":
        return _bare(answer) or answer
    if kind == "math" and len(answer) <= MAX_VOTE:
        from mtalign.grading.mathematics import canonical as value

        return value(answer)
    if kind in ("korbench-counterfactual", "korbench-cipher", "korbench-logic"):
        return re.sub(r'["\n ]', "", answer) or answer
    return answer


def vote(completion: str, kind: str = "exact") -> str | None:
    """The answer that a completion votes for: `canonical`; None where it gives none.

    >>> vote("<answer>7</answer>"), vote("so <answer>$7.0$</answer>", "math"), vote("hm")
    ('7', '7', None)
    """
    found = extract(completion, kind)
    return None if found is None else canonical(found, kind)


def gradable(answer: str, kind: str = "exact") -> bool:
    """Whether an answer key can be matched: a completion is right that says just it, or one of its words or lines.

    >>> gradable("42"), gradable(" "), gradable("say <answer>", "math"), gradable("[[1+1=3]]", "korbench-puzzle")
    (True, False, False, False)
    >>> gradable("[[dict,diction]]", "korbench-puzzle")
    True
    """
    key = (_last_line(answer) or answer) if kind == "math" else answer
    parts = re.split(r"[ ,\n]+", key.strip(" []")) if kind == "korbench-puzzle" else []
    return bool(key.strip()) and any(grade(f"{OPEN}{part}{CLOSE}", answer, kind) for part in (key, *parts))
