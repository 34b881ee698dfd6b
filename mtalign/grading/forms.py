r"""Forms of answers: where a text that was never told our format says what its answer is.

Logs of other tools and scripts of one's own hold `\boxed{42}`, `#### 42`, "The answer is 42." or just `42`. Text and
patterns are untrusted: both are bounded in length, and a pattern in time.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

from mtalign.grading.answers import CLOSE, OPEN, extract, text_of

LONGEST = 20_000  # characters of a text that are looked at, from its end
SECONDS = 0.5  # for a pattern on a text: beyond, it counts as not found
WORDS = 3  # of a text that is an answer as it stands
PHRASE = regex.compile(r"\banswer\s*(?:is|:|=|would be)\s*:?\s*([^\n]+)", regex.IGNORECASE)
ENDS = regex.compile(r"[.!;](?:\s|$)|,\s|\s(?:because|since|as|so|which)\s", regex.IGNORECASE)  # ... of such a phrase
NUMBER = regex.compile(r"-?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")


def answer_in(text: str, kind: str = "math", numeric: bool = False, pattern: regex.Pattern | None = None) -> str | None:
    r"""The answer of a text in the first form that it has; None where it has none.

    1. what `pattern` finds last: its first group, or all of it; with a pattern, no other form counts;
    2. what `grading.extract` finds for the kind, then for mathematics: `<answer>`, `\boxed{}`, `[[..]]`, `####`;
    3. what follows "answer is", "answer:" or "answer =", to the end of the clause;
    4. the last number, where the true answer is one (`numeric`);
    5. the whole text, where it has at most three words.

    >>> [answer_in(t) for t in ("So the answer is 42.", "Answer: (B)", r"\boxed{4}", "#### 18", "42", "I do not know it")]
    ['42', '(B)', '4', '18', '42', None]
    >>> answer_in("It is 1,234 now", numeric=True), answer_in("It is 7 now"), answer_in("x = 3", pattern=compiled(r"x = (\d)"))
    ('1,234', None, '3')
    """
    text = text[-LONGEST:]
    if pattern is not None:
        return last_match(pattern, text)
    if found := _said(text, kind):
        return found
    if numeric:
        numbers = NUMBER.findall(text)
        return numbers[-1] if numbers else None
    return text.strip() if 0 < len(text.split()) <= WORDS else None


def _said(text: str, kind: str) -> str | None:
    """The answer of a text that says which words are its answer: forms 2 and 3 of `answer_in`."""
    if found := extract(text, kind) or extract(text, "math"):
        return found
    phrases = PHRASE.findall(text)
    return ENDS.split(phrases[-1], maxsplit=1)[0].strip().rstrip(".").strip("*` ") or None if phrases else None


def guess_kind(answer: str) -> str:
    r"""The kind of grading for a true answer of which nothing else is known: `math` for a number or LaTeX, else `exact`.

    >>> guess_kind("1,200"), guess_kind(r"\frac{1}{2}"), guess_kind("Paris")
    ('math', 'math', 'exact')
    """
    answer = answer.strip()
    return "math" if NUMBER.fullmatch(answer) or regex.search(r"\\[a-z]+", answer) else "exact"


def as_graded(
    completions: Sequence, kind: Sequence[str] | None, answer: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    r"""Completions in either of trl's forms -> texts that `grade` and `vote` read, and the kind of each.

    Where a data set has a column `kind`, it is taken and the text stays as it is. Where it has none, the kind is guessed from
    the true answer, and an answer counts in each form that says which words it is.

    >>> as_graded(["The answer is 4.", r"\boxed{5}"], None, ["4", "4"])
    (['<answer>4</answer>', '\\boxed{5}'], ['math', 'math'])
    """
    texts = [text_of(completion) for completion in completions]
    if kind:
        return texts, list(kind)
    kinds = [guess_kind(str(a)) for a in answer] if answer else ["exact"] * len(texts)
    for place, (text, each) in enumerate(zip(texts, kinds, strict=True)):
        if extract(text, each) is None and (found := _said(text[-LONGEST:], each)):
            texts[place] = f"{OPEN}{found}{CLOSE}"
    return texts, kinds


def compiled(pattern: str) -> regex.Pattern:
    """A pattern as `answer_in` takes it.

    Raises:
        ValueError: it is no regular expression, or longer than 1,000 characters.

    >>> compiled("(")
    Traceback (most recent call last):
    ValueError: not a regular expression: missing ) at position 1
    """
    if len(pattern) > 1000:
        raise ValueError("not a regular expression of at most 1,000 characters")
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None


def last_match(pattern: regex.Pattern, text: str, which: int = -1) -> str | None:
    r"""What a pattern finds, as the filters of lm-evaluation-harness take it: match number `which`, its first group that is not empty.

    >>> last_match(compiled(r"(\d)|(x)"), "1 x"), last_match(compiled(r"\d"), "1 2", which=0), last_match(compiled("z"), "1")
    ('x', '1', None)
    """
    try:
        found = pattern.findall(text[-LONGEST:], timeout=SECONDS)
    except TimeoutError:
        return None
    try:
        match = found[which]
    except IndexError:
        return None
    if isinstance(match, tuple):
        match = next((group for group in match if group), "")
    return match.strip() or None
