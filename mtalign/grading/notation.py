"""Ways of writing mathematics: signs to LaTeX, and text that is one number to its value."""

# ruff: noqa: RUF001 (signs of mathematics are in the text)
from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

MAX_NUMBER = 150  # characters
_SIGNS = str.maketrans(
    {
        "\u2212": "-", "\u00d7": r"\times ", "\u00f7": r"\div ", "π": r"\pi ", "∞": r"\infty ", "°": r"^\circ ", "·": r"\cdot ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ",
        "≈": r"\approx ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
_NAMES = re.compile(r"(?<![\\A-Za-z])(pi|sqrt|sin|cos|tan|cot|sec|csc|log|ln|infty)(?![A-Za-z])")
_NUMBER = re.compile(r"([-+]?) ?(?:(\d+) )?(\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)(?: ?/ ?(\d+(?:\.\d+)?))?")
_POWER_OF_TEN = re.compile(r"([-+]?\d+(?:\.\d*)?)[eE]([-+]?\d{1,2})")
_REPEATING = re.compile(r"([-+]?)(\d*)\.(\d*)\\(?:overline|bar|dot) ?(?:\{(\d+)\}|(\d))")
_FRACTION = re.compile(r"([-+]?) ?(?:(\d+) ?)?\\[dtc]?frac ?(?:\{(-?\d+)\}|(\d)) ?(?:\{(\d+)\}|(\d))")


def latex(text: str) -> str:
    r"""The text with signs, digits and names of functions as LaTeX writes them.

    >>> latex("½"), latex("1½"), latex("x²"), latex("4₂"), latex("\uff14"), latex("2pi"), latex("sqrt(2)")
    ('\\frac{1}{2}', '1\\frac{1}{2}', 'x^{2}', '4_{2}', '4', '2\\pi', '\\sqrt{2}')
    """
    if not text.isascii():
        text = re.sub(rf"[{_RAISED}]+", lambda m: f"^{{{''.join(str(_RAISED.index(c)) for c in m[0])}}}", text)
        text = re.sub(rf"[{_LOWERED}]+", lambda m: f"_{{{''.join(str(_LOWERED.index(c)) for c in m[0])}}}", text)
        text = "".join(map(_one_sign, text)).translate(_SIGNS)
        text = re.sub(r"√\s*(?:\(([^()]*)\)|(\d+|[A-Za-z]))", lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
    text = _NAMES.sub(r"\\\1", text)
    return re.sub(r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}", text)


def _one_sign(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign.isdecimal():  # of any script: full-width, Arabic and so on
        return str(unicodedata.decimal(sign))
    parts = unicodedata.normalize("NFKC", sign).split("\u2044")  # ½ is 1, a fraction slash, 2
    return rf"\frac{{{parts[0]}}}{{{parts[1]}}}" if len(parts) == 2 and all(parts) else sign


def number(text: str) -> Fraction | None:
    r"""The value of text that is one number: an integer, a decimal, a fraction, a mixed number, `1e3`, `0.\overline{3}`.

    Spaces separate numbers: `12 34` is none, `3 1/2` is a mixed number. Commas separate thousands only.

    >>> number("-1,000.5"), number(r"1\frac{4}{5}"), number("3 1/2"), number("12 34"), number("12,34"), number("x")
    (Fraction(-2001, 2), Fraction(9, 5), Fraction(7, 2), None, None, None)
    >>> number("1.5e3"), number(r"0.1\overline{6}")
    (Fraction(1500, 1), Fraction(1, 6))
    """
    text = text.strip()
    if len(text) > MAX_NUMBER or not text.isascii():
        return None
    if match := _POWER_OF_TEN.fullmatch(text):
        return Fraction(match[1]) * Fraction(10) ** int(match[2])
    if match := _REPEATING.fullmatch(text):
        return _repeating(match[1], match[2] + match[3], len(match[3]), match[4] or match[5])
    if match := _NUMBER.fullmatch(text):
        sign, whole, digits, below = match.groups()
        if whole and (below is None or not digits.isdigit()):
            return None
        value, under = Fraction(digits.replace(",", "").rstrip(".")), Fraction(below or 1)
    elif match := _FRACTION.fullmatch(text):
        sign, whole, *parts = match.groups()
        above, below = (int(p) for p in parts if p is not None)
        if whole and above < 0:
            return None
        value, under = Fraction(above), Fraction(below)
    else:
        return None
    if not under:
        return None
    value = int(whole or 0) + value / under
    return -value if sign == "-" else value


def _repeating(sign: str, first: str, places: int, period: str) -> Fraction:
    """Of a decimal: the digits before the period, how many of them are behind the point, and the period."""
    value = (int(first or 0) + Fraction(int(period), 10 ** len(period) - 1)) / 10**places
    return -value if sign == "-" else value


def arithmetic(text: str) -> Fraction | None:
    """The value of + - * / and brackets on numbers; None where the text is anything else.

    >>> arithmetic("6 + 2*(3-2)"), arithmetic("2**9"), arithmetic("1/0")
    (Fraction(8, 1), None, None)
    """
    tokens = re.findall(r"\d+(?:\.\d+)?|\S", text[:MAX_NUMBER])
    if len(text) > MAX_NUMBER or text.count("(") > 5:
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
