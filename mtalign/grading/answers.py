"""Grading: completion -> answer -> correct. Pure, bounded in time, never evaluates the text.

`mathematics`, `korbench` and `reasoning_gym` hold the kinds of real tasks; what they need is imported at first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from mtalign.grading import programs, reasoning_gym, tested_programs

MAX_CHARACTERS = 100_000  # of a completion that are looked at, from its end
MAX_VOTE = 1500  # characters; a longer answer is compared as it is
OPEN, CLOSE = "<answer>", "</answer>"
AROUND = {
    "so",
    "thus",
    "hence",
    "therefore",
    "the",
    "final",
    "answer",
    "is",
    "we",
    "get",
    "have",
}  # say nothing by a box


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

    Which answer counts when there are several; never more than one, so that a list of guesses gains nothing:

    | the completion has | what counts | why |
    | --- | --- | --- |
    | several complete `<answer>` | the last | a later one takes back an earlier one |
    | an `<answer>` after the thinking, and a box | the `<answer>` | it is what the instruction asks for |
    | an `<answer>` in the thinking, another form after it | what comes after | thinking is tried, not said |
    | an `<answer>` in the thinking (ended or not) and nothing after it | the `<answer>` | the only one; nothing is gained by its place |
    | a box, `[[..]]` or `####` in the thinking only | nothing | in thinking these mark steps |
    | a `<think>` that is not closed | as in the thinking | the answer was not reached |
    | several boxes, or several lines `####` | the last; of nested boxes the inmost | as of `<answer>` |
    | several `[[..]]` | the first | KOR-Bench's published rule |
    | a box with more around it in the `<answer>` | the box if that says no more than `so`; else all | `not \boxed{4}` and `-\boxed{4}` are not 4 |
    | an `<answer>` or box that is empty, or not closed | nothing; an earlier complete box | no text, no answer |

    The kinds `exact`, `choice` and `program` know `<answer>` only. For `math` the other forms are, in this order, `\boxed{..}` (also
    `\fbox`, and `\boxed 4`), `[[..]]` and a line that begins with `####`, as in GSM8K; for KOR-Bench `[[..]]`, and failing
    that (puzzles aside) `$\boxed{..}$`, then `[..]`, as published.

    >>> extract("<think>maybe <answer>1</answer></think><answer> 42 </answer>")
    '42'
    >>> extract(r"\boxed{1}, no: \boxed{\frac{1}{2}}", "math"), extract("3 + 4 = 7\n#### 7", "math")
    ('\\frac{1}{2}', '7')
    >>> extract("so [[B]]", "korbench-logic"), extract("so [[B]]"), extract("<think>42</think>")
    ('B', None, None)
    """
    text = completion[-MAX_CHARACTERS:]
    if kind in ("exact", "choice", "program") or kind.startswith(tested_programs.PREFIX):
        return (_tagged(text) or "").strip() or None
    after = text.rpartition("</think>")[2].partition("<think>")[0]
    korbench = kind.startswith("korbench-")
    tagged = _tagged(after)
    found = None
    if tagged is None:
        found = _korbench_form(after, kind) if korbench else _boxed(after) or _double(after) or _last_line(after)
        tagged = _tagged(text) if found is None else None
    if tagged is not None:
        found = _marked_within(tagged, _double if korbench else _boxed)
    return (found or "").strip() or None


def _tagged(text: str) -> str | None:
    """What the last complete `<answer>` holds."""
    end = text.rfind(CLOSE)
    start = text.rfind(OPEN, 0, end) if end >= 0 else -1
    return text[start + len(OPEN) : end] if start >= 0 else None


def _marked_within(tagged: str, marked: Callable[[str], str | None]) -> str:
    """The box or brackets in an `<answer>` where nothing but `AROUND` and marks of text stands by them; else all, unframed.

    So `-\\boxed{4}` is -4, and `x = \\boxed{4}` says that x is 4.
    """
    found = marked(tagged)
    if not found:
        return tagged
    before, _, behind = tagged.rpartition(found)
    head = before.rstrip().removesuffix("{").rstrip()
    if frame := re.search(r"\\f?box(?:ed)?$", head[-8:]):
        before, behind = head[: -len(frame[0])], behind.lstrip().removeprefix("}")
    others = re.sub(r"\\(?:left|right|text|f?box(?:ed)?|[()\[\]])(?![a-z])", "", f"{before} {behind}").lower()
    says_more = re.search(r"[^\s\w.,:;$*{}\[\]]|[\d_]", others) or not AROUND.issuperset(re.findall(r"\w+", others))
    return f"{before} {found} {behind}" if says_more else found


def _korbench_form(text: str, kind: str) -> str | None:
    found = _double(text)
    if found is None and kind != "korbench-puzzle":
        found = _between(text, "$\\boxed{", "}$") or _between(text, "[", "]")
    return found


def _between(text: str, opening: str, closing: str) -> str | None:
    start = text.find(opening)
    end = text.find(closing, start + len(opening)) if start >= 0 else -1
    return text[start + len(opening) : end] if end >= 0 else None


def _double(text: str) -> str | None:
    return _between(text, "[[", "]]")


def _boxed(text: str) -> str | None:
    r"""The inside of the last complete `\boxed{}`, the innermost of nested ones; of `\boxed 4` the number or letter."""
    opened: list[tuple[bool, int]] = []  # (whether a box, where its inside begins), of braces that are open
    found, begin = None, -1
    first = text.find("box")
    text = text[max(0, first - 2) :] if first >= 0 else ""
    for mark in re.finditer(
        r"\\f?box(?:ed)?\s*(?:(\{)|(-?\d[\d.,/]*|[A-Za-z](?![A-Za-z])))|\\.|([{}])", text, re.DOTALL
    ):
        if mark[1] or mark[3] == "{":
            opened.append((bool(mark[1]), mark.end()))
        elif mark[3] and opened:
            box, start = opened.pop()
            if box and start > begin:
                found, begin = text[start : mark.start()], start
        elif mark[2]:
            found, begin = mark[2].rstrip(".,"), mark.start(2)
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
    return text.strip().rstrip(".").strip("()[] ").lower() or text.strip()


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


GRADERS: dict[str, Callable[[str, str], bool]] = {
    "exact": exact,
    "choice": choice,
    "math": math,
    "program": programs.same,
} | {
    f"korbench-{category}": _korbench(category)
    for category in ("operation", "operation-math", "counterfactual", "logic", "puzzle", "cipher")
}


def grader(kind: str) -> Callable[[str, str], bool]:
    """What compares an answer with the truth: of `GRADERS`, for `rg:` a verifier of reasoning-gym, for `tests:` a sandbox that
    runs programs.

    Raises:
        KeyError: there is no such kind.
    """
    if kind.startswith(tested_programs.PREFIX):
        return partial(tested_programs.passes, kind)
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
    if kind == "program":
        return programs.normal(answer)
    if kind.startswith(tested_programs.PREFIX):
        return tested_programs.normal(kind, answer)
    if kind == "math" and len(answer) <= MAX_VOTE:
        from mtalign.grading.canonical import canonical as value

        return value(answer)
    if kind in ("korbench-counterfactual", "korbench-cipher", "korbench-logic"):
        inner = '"' if kind == "korbench-logic" else ""
        return re.sub(rf"[\n {inner}]", "", answer).strip('"') or answer
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
