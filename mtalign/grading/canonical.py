"""One text for mathematics of one value: what is compared first, and what votes are counted by."""

from __future__ import annotations

import re

from mtalign.grading.notation import latex, number
from mtalign.grading.units import PERCENT, says_nothing, split_unit, unwrapped

NAME = re.compile(  # of an unknown: x, x_1, f(x), AB, \angle ABC, \theta
    r"(?:\\angle ?)?(?:[A-Za-z](?:_\{?\w+\}?)?'?(?:\([A-Za-z\d,]+\))?|[A-Z]{2,4}|\\[a-z]+(?<!\\pi))"
)
POINT = re.compile(r"\(([A-Za-z](?:,[A-Za-z])+)\)=(?=\()")  # (x,y)= before a point
CLOCK = re.compile(r"(\d{1,2}:\d{2})\s*([ap])\.?\s*m\.?", re.I)


def canonical(answer: str) -> str:
    r"""One text for answers of one value, as far as that shows without algebra: numbers, spaces, forms of LaTeX.

    The name of the unknown is left aside, and units that are in every answer or in none: dollars, degrees, what is counted.

    >>> canonical("0.5"), canonical(r"\frac{1}{2}"), canonical(r"\dfrac12"), canonical("x = 1,000"), canonical(r"2 \sqrt{2}")
    ('1/2', '1/2', '1/2', '1000', '2\\sqrt{2}')
    >>> canonical("4cd"), canonical("4 kilometers"), canonical("4 apples"), canonical("3:30 PM"), canonical("50%")
    ('4cd', '4 km', '4', '3:30 pm', '50%')
    """
    text = stripped(answer)
    if match := CLOCK.fullmatch(unwrapped(text).strip()):
        return f"{match[1].lstrip('0')} {match[2].lower()}m"
    if is_words(text):
        return words(text)
    bare, unit = split_unit(text)
    bare = tidy(bare)
    bare = without_names_of_a_point(bare)
    name, equals, rest = bare.partition("=")
    if equals and "=" not in rest and NAME.fullmatch(name):
        bare = rest
    value = number(bare)
    if value is None:
        bare = re.sub(r"(?<![A-Za-z]) (?=\\)", "", re.sub(r"\\[dtc]frac", r"\\frac", bare))
    shown = str(bare if value is None else value)
    if unit is None or says_nothing(unit):
        return shown or answer
    return f"{shown}%" if unit == PERCENT else f"{shown} {unit}"


def stripped(text: str) -> str:
    """Without the marks around mathematics; signs as LaTeX."""
    text = latex(text.strip().strip("*").strip())
    text = text.replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "").strip()
    if framed := re.fullmatch(r"\\f?box(?:ed)?\s*\{(.*)\}", text, re.DOTALL):
        text = framed[1].strip()
    if re.match(r"\$(?=[\d.-])[^$]*$", text):  # one dollar sign, before a number: a price
        text = "\\" + text
    text = re.sub(r"(?<!\\)\$", "", text).strip()
    text = text[1:-1].strip() if re.fullmatch(r"\"[^\"]*\"", text) else text
    text = re.sub(r"(?<![.\\])\.$", "", text).strip().strip("*").strip().removesuffix("\\").strip()
    return text[1:].strip() if re.match(r"=[^=]*$", text) else text


def tidy(text: str) -> str:
    r"""The text without marks and spaces that say nothing about its value.

    >>> tidy(r"32,\!348"), tidy(r"\left( 3, 4 \right)"), tidy("3 1/2"), tidy("5, 100")
    ('32,348', '(3,4)', '3 1/2', '5, 100')
    """
    text = re.sub(r"\\(?:left|right|displaystyle)(?![a-z])", "", text)
    text = re.sub(r"\\!\s*", "", text.replace("{,}", ","))
    text = re.sub(r"(?<=\d)\\[,;:](?=\d{3}(?!\d))", ",", text)  # a thin space between thousands
    text = re.sub(r"(?<!\\)(?:\\[,;: ]|(?<=.)~)", " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s*([-+=:()\[\]{}^_/&<>|])\s*", r"\1", text)
    return re.sub(r" ?, ?(?!\d{3}(?!\d))", ",", text).replace(" ,", ",").strip()


def without_names_of_a_point(text: str) -> str:
    """A point without the names of its coordinates, where these are in the order of the alphabet.

    >>> without_names_of_a_point("(x,y)=(3,-2)"), without_names_of_a_point("(y,x)=(3,-2)")
    ('(3,-2)', '(y,x)=(3,-2)')
    """
    names = match[1].split(",") if (match := POINT.match(text)) else []
    return text[match.end() :] if names and names == sorted(set(names)) else text


def is_words(text: str) -> bool:
    """Whether the text is words, not a product of variables: three letters in a row, or `no`, or in `\\text{}`."""
    plain = unwrapped(text).strip()
    looks = re.fullmatch(r"[A-Za-z][A-Za-z' -]+[A-Za-z]", plain) is not None
    return looks and (plain != text.strip() or re.search(r"[A-Za-z]{3}|^no$", plain, re.I) is not None)


def words(text: str) -> str:
    """The words without marks, spaces and case."""
    return " ".join(unwrapped(text).split()).strip(" .").casefold()
