"""Whether two pieces of mathematics are equal: as text, as numbers, and else by math-verify within a budget.

math-verify limits its time by signals, which work in the main thread only, so its limits are off and these hold:
text that is long, deeply nested, or whose numbers could grow (towers of powers, factorials, sums, unknown commands) is
compared as text only; and the library runs in a process of its own (`sandbox`), limited in processor time and killed at the
wall-clock limit. Only LaTeX is parsed, by a grammar: nothing is ever evaluated as code.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from mtalign.grading.sandbox import sandbox

MAX_LENGTH = 150  # characters of an answer that is parsed; the longest of MATH-500 has 53
MAX_DEPTH = 5  # of brackets
MAX_SECONDS = 1.6  # of wall-clock for math-verify on a pair, so that no completion takes 2 s
WILD = re.compile(r"!|\*\*|\d{26}|[A-Za-z]{16}|([-+*/|=^_~'])\1{3}|(?:(?:=|\\cup|\\cap|\\pm).*){6}", re.DOTALL)
COMMANDS = frozenset(  # of LaTeX: text with any other is compared as text only
    re.findall(
        r"\w+",
        """frac dfrac tfrac cfrac sqrt pi cdot times div pm mp left right text textbf textit mbox mathrm mathbf mathit mathbb
        begin end sin cos tan cot sec csc arcsin arccos arctan log ln infty cup cap in notin le ge leq geq leqslant geqslant
        neq ne lt gt circ degree quad qquad emptyset varnothing setminus mid vert langle rangle big Big bigg Bigg ldots dots
        cdots displaystyle operatorname overline bar vec hat alpha beta gamma delta epsilon varepsilon theta lambda mu nu
        omega phi varphi psi rho sigma tau zeta eta kappa xi chi Omega Delta Gamma to lor land approx equiv angle boxed""",
    )
)
_WRAPPED = re.compile(r"\\(?:text|mbox|mathrm|textbf|mathbf|textit|operatorname)\s*\{([^{}]*)\}")
_NUMBER = re.compile(r"([-+]?)(\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:/(\d+(?:\.\d+)?))?")
_FRACTION = re.compile(r"([-+]?)(\d+)?\\[dtc]?frac(?:\{(\d+)\}|(\d))(?:\{(\d+)\}|(\d))")
_UNIT = re.compile(
    r"(?<=[\d}])(?:\s|\\ )*(?:\^?\{?\\circ\}?|°|\\?%|[a-z]{2,}(?:\s+[a-z]{2,}){0,4}\.?(?:\^\{?[23]\}?)?)$", re.I
)
_SCALES = re.compile(
    r"hundred|thousand|million|billion|trillion|dozen|score|pairs?\b|half|pi\b|sqrt|or\b|and\b|to\b|inf|mod|base", re.I
)


def same(found: str, truth: str) -> bool:
    r"""Whether the answer found is equal to the true one.

    Units, degree, percent and dollar signs, thousands separators and spaces are left aside.

    >>> same("$1,234.50", "1234.5"), same("18 dollars", "18"), same(r"\frac12", "0.5"), same("0.3", "1/3")
    (True, True, True, False)
    >>> same("9^{9^{9^9}}", "1")
    False
    """
    if max(len(found), len(truth)) > 10 * MAX_LENGTH:
        return False
    one, other = tidy(found), tidy(truth)
    if one and one == other:
        return True
    first, second = number(one), number(other)
    if first is not None and second is not None:
        return first == second
    return tame(one) and tame(other) and _verify(one, other)


def tidy(text: str) -> str:
    r"""The text without marks that say nothing about its value.

    >>> tidy(r"$ \text{Evelyn} $."), tidy(r"\$32,\!348"), tidy(r"15\mbox{ cm}^2"), tidy(r"\left( 3, 4 \right)")
    ('evelyn', '32,348', '15', '(3,4)')
    """
    text = (
        text.strip()
        .strip(".")
        .replace("\u2212", "-")
        .replace("\\$", "")
        .replace("π", r"\pi ")
        .replace("\u00d7", r"\times ")
    )
    text = text.replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "").replace("$", "").strip()
    text = text.strip("*").strip().rstrip(".")
    only_words = _WRAPPED.fullmatch(text)
    if only_words or re.fullmatch(r"[A-Za-z][A-Za-z' -]*[A-Za-z]", text):
        return (only_words[1] if only_words else text).strip(" .").casefold()
    bare = _UNIT.sub("", _WRAPPED.sub(r" \1", text))
    if bare and not _SCALES.search(_WRAPPED.sub(r" \1", text)[len(bare) :]):
        text = bare
    text = re.sub(r"\\(?:left|right)(?![a-z])", "", text)
    text = re.sub(r"(?<!\\)\\[,!;: ]", "", text)
    return re.sub(r"\s*([-+=,;:()\[\]{}^_/&<>|])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def canonical(answer: str) -> str:
    r"""One text for answers of one value, as far as that shows without algebra: numbers, spaces, forms of LaTeX.

    >>> canonical("0.5"), canonical(r"\frac{1}{2}"), canonical(r"\dfrac12"), canonical("x = 1,000"), canonical(r"2 \sqrt{2}")
    ('1/2', '1/2', '1/2', '1000', '2\\sqrt{2}')
    """
    text = tidy(answer)
    value = number(re.sub(r"^[A-Za-z]=", "", text))
    if value is not None:
        return str(value)
    return re.sub(r"(?<![A-Za-z]) (?=\\)", "", re.sub(r"\\[dtc]frac", r"\\frac", text)) or answer


def number(text: str) -> Fraction | None:
    r"""The value of tidy text that is one number: an integer, a decimal, a fraction or a mixed number.

    >>> number("-1,000.5"), number(r"1\frac{4}{5}"), number("x")
    (Fraction(-2001, 2), Fraction(9, 5), None)
    """
    if len(text) > MAX_LENGTH or not text.isascii():
        return None
    text = text.replace(" ", "")
    if match := _NUMBER.fullmatch(text):
        sign, digits, below = match.groups()
        value, under = Fraction(digits.replace(",", "")), Fraction(below or 1)
    elif match := _FRACTION.fullmatch(text):
        sign, whole, *parts = match.groups()
        above, below = (int(p) for p in parts if p is not None)
        value, under = Fraction(int(whole or 0) * below + above), Fraction(below)
    else:
        return None
    return None if not under else (-value if sign == "-" else value) / under


def arithmetic(text: str) -> Fraction | None:
    """The value of + - * / and brackets on numbers; None where the text is anything else.

    >>> arithmetic("6 + 2*(3-2)"), arithmetic("2**9"), arithmetic("1/0")
    (Fraction(8, 1), None, None)
    """
    tokens = re.findall(r"\d+(?:\.\d+)?|\S", text[:MAX_LENGTH])
    if len(text) > MAX_LENGTH or text.count("(") > MAX_DEPTH:
        return None
    tokens.append("")

    def factor() -> Fraction:
        token = tokens.pop(0)
        if token in ("-", "+"):
            return -factor() if token == "-" else factor()
        if token == "(":
            value = total()
            if tokens.pop(0) != ")":
                raise ValueError(text)
            return value
        return Fraction(token)

    def product() -> Fraction:
        value = factor()
        while tokens[0] in ("*", "/"):
            value = value * factor() if tokens.pop(0) == "*" else value / factor()
        return value

    def total() -> Fraction:
        value = product()
        while tokens[0] in ("+", "-"):
            value = value + product() if tokens.pop(0) == "+" else value - product()
        return value

    try:
        value = total()
    except (ValueError, ZeroDivisionError, IndexError, RecursionError):
        return None
    return value if tokens == [""] else None


def tame(text: str) -> bool:
    r"""Whether the text is short and shallow, and none of its numbers can grow beyond some thousand digits.

    >>> tame(r"\frac{\sqrt{3}}{2} x^{10}"), tame("9^{9^9}"), tame("((2^{99})^{99})^{99}"), tame("10!"), tame("(" * 9)
    (True, False, False, False, False)
    """
    if not text or len(text) > MAX_LENGTH or WILD.search(text):
        return False
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH or any(c not in COMMANDS for c in re.findall(r"\\([A-Za-z]+)", text)):
        return False
    growth, largest, towers = 1, 1, 0  # powers of numbers and brackets multiply, those of variables do not
    for start in (match.end() for match in re.finditer(r"\^\s*", text)):
        exponent = _group(text, start)
        value = 1
        for digits in re.findall(r"\d+", exponent):
            value *= max(1, int(digits))
        if text[:start].rstrip("^ ")[-1:].isalpha():
            largest = max(largest, value)
            if value > 30:
                return False
        else:
            growth *= value
        if value > 20 and text[:start].rstrip("^ ")[-1:] in (")", "}", "]"):
            return False
        towers += "^" in exponent or text[start + len(exponent) :].lstrip(" }").startswith("^")
    return growth * largest <= 1_000 and (towers == 0 or (towers == 1 and growth * largest <= 20))


def _group(text: str, start: int) -> str:
    """The group in brackets, the number or the character that starts there."""
    if text[start : start + 1] not in ("{", "("):
        return re.compile(r"-?\d+|.?").match(text, start)[0]
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] in "{(") - (text[end] in "})")
        if depth == 0:
            return text[start : end + 1]
    return text[start:]


def _verify(found: str, truth: str) -> bool:
    """Ask math-verify; False where it fails, exceeds its processor time, or is not done in time."""
    try:
        return _verdict(found, truth)
    except TimeoutError:
        return False


@lru_cache(maxsize=100_000)
def _verdict(found: str, truth: str) -> bool:
    score = sandbox("math").ask({"found": found, "truth": truth}, MAX_SECONDS)
    if score is None:  # raised, so that it is not kept
        raise TimeoutError(found)
    return bool(score)
