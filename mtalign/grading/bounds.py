"""What mathematics may be parsed at all: short, shallow, of known commands, and none of its numbers can grow.

math-verify has no limit of its own that holds outside the main thread. So text that breaks one of these limits is compared
as text only. They are a guard: `tests/cases/adversarial.jsonl` holds what each of them stops.
"""

from __future__ import annotations

import re

MAX_LENGTH = 150  # characters; the longest answer of MATH-500 has 53
MAX_DEPTH = 5  # of brackets
MAX_VARIABLE_POWER = 30  # x^30: what a polynomial may have
MAX_GROUP_POWER = 20  # (..)^20: a power of a bracket is multiplied out
MAX_GROWTH = 1_000  # product of all exponents: how many times longer a number may get
MAX_TOWER = 20  # the same where one exponent has an exponent itself
WILD = re.compile(  # factorials, long numbers and names, rows of one operator, many equations or unions
    r"!|\*\*|\d{26}|[A-Za-z]{16}|([-+*/|=^_~'])\1{3}|(?:(?:=|\\cup|\\cap|\\pm).*){6}", re.DOTALL
)
COMMANDS = frozenset(  # of LaTeX: text with any other is compared as text only
    re.findall(
        r"\w+",
        """frac dfrac tfrac cfrac sqrt pi cdot times div pm mp left right text textbf textit mbox mathrm mathbf mathit mathbb
        begin end sin cos tan cot sec csc arcsin arccos arctan log ln infty cup cap in notin le ge leq geq leqslant geqslant
        neq ne lt gt circ degree quad qquad emptyset varnothing setminus mid vert langle rangle big Big bigg Bigg ldots dots
        cdots displaystyle operatorname overline bar vec hat alpha beta gamma delta epsilon varepsilon theta lambda mu nu
        omega phi varphi psi rho sigma tau zeta eta kappa xi chi Omega Delta Gamma to lor land approx equiv angle""",
    )
)


def tame(text: str) -> bool:
    r"""Whether the text is short and shallow, and none of its numbers can grow beyond some thousand digits.

    >>> tame(r"\frac{\sqrt{3}}{2} x^{10}"), tame("9^{9^9}"), tame("((2^{99})^{99})^{99}"), tame("10!"), tame("(" * 9)
    (True, False, False, False, False)
    """
    return (
        0 < len(text) <= MAX_LENGTH
        and WILD.search(text) is None
        and not _too_deep(text)
        and not _unknown_command(text)
        and not _grows(text)
    )


def _too_deep(text: str) -> bool:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH


def _unknown_command(text: str) -> bool:
    return any(command not in COMMANDS for command in re.findall(r"\\([A-Za-z]+)", text))


def _grows(text: str) -> bool:
    """Whether exponents make numbers long: those of numbers and brackets multiply, those of variables do not."""
    growth, largest, towers = 1, 1, 0
    for base, value, is_tower in _exponents(text):
        if base.isalpha():
            largest = max(largest, value)
            if value > MAX_VARIABLE_POWER:
                return True
        else:
            growth *= value
        if base in (")", "}", "]") and value > MAX_GROUP_POWER:
            return True
        towers += is_tower
    return growth * largest > MAX_GROWTH or towers > 1 or (towers == 1 and growth * largest > MAX_TOWER)


def _exponents(text: str) -> list[tuple[str, int, bool]]:
    """Of each exponent: the character before it, the product of its numbers, and whether it has or gets one itself."""
    found = []
    for start in (match.end() for match in re.finditer(r"\^\s*", text)):
        exponent = _group(text, start)
        value = 1
        for digits in re.findall(r"\d+", exponent):
            value *= max(1, int(digits))
        is_tower = "^" in exponent or text[start + len(exponent) :].lstrip(" }").startswith("^")
        found.append((text[:start].rstrip("^ ")[-1:], value, is_tower))
    return found


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
