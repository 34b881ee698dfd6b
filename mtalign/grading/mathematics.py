r"""Whether an answer is the true mathematics: as text, as numbers, and else by math-verify within limits.

The key is trusted, the answer is not. So an answer must have the key's shape before its value is asked for:

- **unit**: from a closed list (`units`); the key's own or none where the key has one. Whatever else follows a number counts.
- **letters**: only the key's variables, constants and functions. So number and prose is no answer, nor is `2ab` for `2xy`.
- **equality**: `x = 4` is 4; in a chain every side that is no name must be the answer.
- **several values**: as many as the key has. Brackets of intervals and points are the key's; a set may be listed.
- **relations, bases, percent**: an inequality, `\pm` or `101_2` only where the key has it; a share and its percentage are equal.

math-verify alone (0.9) accepts `5=4`, `4 \approx 5`, `(1,2)` for a set, `101_2` for 101, `4 km` for `4 m`, 3.141593 for pi.
It limits its time by signals, which work in the main thread only. So its limits are off, `bounds.tame` decides what it may
see, and it runs in a process of its own (`sandbox`). Only LaTeX is parsed, by a grammar: nothing is evaluated as code.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from mtalign.grading.bounds import MAX_LENGTH, tame
from mtalign.grading.canonical import CLOCK, NAME, canonical, is_words, stripped, tidy, without_names_of_a_point, words
from mtalign.grading.notation import number
from mtalign.grading.sandbox import sandbox
from mtalign.grading.shape import BASE, fits, letters, same_bases, values
from mtalign.grading.units import PERCENT, compatible, split_unit, unwrapped

MAX_SECONDS = 16.0  # of wall-clock for math-verify on a pair: ends what waits; what computes has 1 s of processor time
MAX_SIDES = 4  # of a chain of equalities


def same(found: str, truth: str) -> bool:
    r"""Whether the answer found is equal to the true one.

    >>> same("$1,234.50", "1234.5"), same("18 dollars", "18"), same(r"\frac12", "0.5"), same("0.3", "1/3")
    (True, True, True, False)
    >>> same("9^{9^{9^9}}", "1"), same("4 is wrong", "4"), same("4 km", r"4\text{ m}"), same("5=4", "4")
    (False, False, False, False)
    """
    if max(len(found), len(truth)) > 10 * MAX_LENGTH:
        return False
    found, truth = stripped(found), stripped(truth)
    if not found or not truth:
        return False
    if found == truth:
        return True
    for special in (_same_time, _same_words):
        verdict = special(found, truth)
        if verdict is not None:
            return verdict
    wanted, wanted_unit = split_unit(truth, is_key=True)
    wanted = tidy(wanted)
    given, unit = (unwrapped(found), None) if letters(wanted) else split_unit(found)
    given = tidy(given)
    if PERCENT in (unit, wanted_unit):
        return _same_share(given, unit, wanted, wanted_unit)
    return compatible(unit, wanted_unit) and _same_value(given, wanted)


def _same_time(found: str, truth: str) -> bool | None:
    """Of times of day, whose half of the day counts; None where neither is one."""
    times = [CLOCK.fullmatch(unwrapped(text).strip()) for text in (found, truth)]
    if times == [None, None]:
        return None
    return None not in times and canonical(found) == canonical(truth)


def _same_words(found: str, truth: str) -> bool | None:
    """Of keys that are words or the letter of an option; None where the key is neither."""
    if match := re.fullmatch(r"\(([A-Za-z])\)", unwrapped(truth).strip()):
        return words(found).strip("() ") == match[1].casefold()
    if not is_words(truth):
        return None
    if words(found) == words(truth):
        return True
    return False if "\\" in truth or truth.isupper() else None  # ABC is a name, abc may be a product


def _same_share(given: str, unit: str | None, wanted: str, wanted_unit: str | None) -> bool:
    """A percentage equals the number that it is, and (above 1, where it cannot be a share itself) the number before %."""
    if unit == wanted_unit:
        return _same_value(given, wanted)
    if {unit, wanted_unit} - {PERCENT, None}:
        return False
    first, second = number(given), number(wanted)
    if first is None or second is None:
        return unit is None and _same_value(given, wanted)
    percent, plain = (first, second) if unit == PERCENT else (second, first)
    return percent / 100 == plain or (percent == plain and abs(plain) > 1)


def _same_value(given: str, wanted: str) -> bool:
    if not given or not wanted:
        return False
    if given == wanted:
        return True
    first, second = number(given), number(wanted)
    if first is not None and second is not None:
        return first == second
    given, wanted = (
        text if value is None else text.replace(",", "") for text, value in ((given, first), (wanted, second))
    )
    if BASE.fullmatch(given) and BASE.fullmatch(wanted):
        return same_bases(given, wanted)
    wanted, name = _without_name(wanted)
    given = given if name else _without_names(given)
    if "=" in given and "=" not in wanted:
        return _all_sides(given, wanted, name)
    if name and number(wanted) is not None and number(given) == number(wanted):
        return True
    if ":" in given + wanted:
        return _same_ratio(given, wanted)
    return tame(given) and tame(wanted) and fits(given, wanted) and _verify(_exact(given), _exact(wanted))


def _without_name(wanted: str) -> tuple[str, str]:
    """A key like `x=5` or `x \\in [0,1]` without the name of its unknown, and that name."""
    for sign in ("=", "\\in "):
        left, found, right = wanted.replace("\\in[", "\\in [").replace("\\in(", "\\in (").partition(sign)
        if found and sign not in right and NAME.fullmatch(left.strip()):
            return right, left.strip()
    return wanted, ""


def _without_names(given: str) -> str:
    r"""An answer like `x\in[0,1]` or `x=1 or x=2` without the name of its unknown, which must be the same throughout."""
    given = without_names_of_a_point(given)
    if "\\in" in given:
        return _without_name(given)[0]
    parts = [part.partition("=") for part in values(given)]
    names = {name for name, _, _ in parts}
    is_list = len(parts) > 1 and len(names) == 1 and all(equals and NAME.fullmatch(name) for name, equals, _ in parts)
    return ",".join(value for _, _, value in parts) if is_list else given


def _all_sides(given: str, wanted: str, name: str) -> bool:
    """Whether a chain of equalities has one name at most, the key's where it has one, and all other sides are the key."""
    sides = given.split("=")
    names = [side for side in sides if NAME.fullmatch(side) and side != wanted]
    values = [side for side in sides if side not in names]
    if len(sides) > MAX_SIDES or not values or len(names) > 1 or (name and names != [name]):
        return False
    formulas = [side for side in values if side != wanted and number(side) is None]
    return len(formulas) <= 1 and all(_same_value(side, wanted) for side in values)  # one for math-verify: its time


def _same_ratio(given: str, wanted: str) -> bool:
    """Of ratios, whose parts are proportional; of times of day (or what looks like one), whose figures are the same."""
    if re.fullmatch(r"\d{1,2}:\d{2}", wanted):
        return given.lstrip("0") == wanted.lstrip("0")
    parts = [[number(part) for part in text.split(":")] for text in (given, wanted)]
    for part in parts:
        if len(part) == 1:
            part.append(Fraction(1))
    one, other = parts
    if len(one) != len(other) or None in one + other or 0 in one + other:
        return False
    return all(a * other[0] == b * one[0] for a, b in zip(one, other, strict=True))


def _exact(text: str) -> str:
    r"""Decimals as fractions, so that no rounding makes numbers equal.

    >>> _exact(r"0.5\pi")
    '\\frac{5}{10}\\pi'
    """
    return re.sub(r"(\d*)\.(\d+)", lambda m: rf"\frac{{{int(m[1] + m[2])}}}{{{10 ** len(m[2])}}}", text)


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
