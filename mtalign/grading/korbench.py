"""KOR-Bench's published rules of evaluation (arXiv 2410.06526; KOR-Bench/KOR-Bench, eval), from their definitions.

The published evaluation chooses a rule by the category and number of the question. A grader sees the true answer only,
so here the answer's shape chooses: `{..}` is a set, `((..))` a matrix, arrows are a grid, and so on. `WORD_LISTS`,
`ONE_WORD` and `AS_TEXT` list the few answers of the benchmark whose shape is shared by two rules.

Two facts about the published labels, both followed here since the published verdict is the aim:

1. Formulas of `operation` are meant to be compared by sympy, but every published label is what a comparison of their text
   gives, spaces included: `5 + 5i` is wrong where `5+5i` is true. The kind `korbench-operation-math` compares values.
2. Where any one word of a list is right, so is any part of the list. Deviation: here a part of at least three letters,
   since in the publication an empty answer is right as well.
"""

# ruff: noqa: RUF001 (the signs of multiplication, subtraction and divisibility are in the data)
from __future__ import annotations

import re
from collections.abc import Callable

from mtalign.grading.mathematics import arithmetic, same

WORD_LISTS = {  # puzzle rule 3: all of these words, in any order
    "pea ape",
    "act cat",
    "ar at ta art rat tar tra",
    "din kid ink kin nid kind dink",
    "beat beta abet bate",
    "diet dite edit tide tied",
    "amen mane name mean",
    "be bend",
    "aunt tuna tuan",
    "bow low lob owl bowl blow",
}
ONE_WORD = {  # puzzle rule 4: any one of these words
    "appel pepla",
    "pale peal palp pape plap pela plea",
    "scape capes paces",
    "lovers",
    "friend refind redfin",
    "dive dove vide void devi vied",
    "blate ablet bleat",
    "hustling",
    "canoe",
    "could",
}
AS_TEXT = {"2/x", r"\sin(y)+e^x", r"\frac{1}{y}+3x^2"}  # formulas of operation whose text is compared without spaces


def operation(answer: str, truth: str) -> bool:
    """Numbers and formulas; several solutions, joined by `or`, in any order.

    >>> operation("-12 or 4", "4or-12"), operation("{4, 1}", "{1,4}"), operation("((1,2),(3,5))", "((1,2),(3,4))")
    (True, True, False)
    """
    if re.match(r"\{\w\s*[∣|]", truth):  # a set given by inequalities: those count
        bounds = r"([≥≤])\s*(-?\d+\.?\d*)"
        return sorted(re.findall(bounds, _bare(answer))) == sorted(re.findall(bounds, truth))
    if truth.startswith("{"):  # a set of elements
        return sorted(re.sub(r"\W+", "", answer)) == sorted(re.sub(r"\W+", "", truth))
    if truth.startswith("(("):  # a matrix: its integers, row by row
        return re.findall(r"\d+", answer) == re.findall(r"\d+", truth)
    if _is_formula(truth):
        return _formula(answer) == _formula(truth)
    if "or" in truth:
        parts = _bare(answer).replace(r"\text{or}", "or").split("or")
        return sorted(parts) == sorted(_bare(truth).split("or"))
    return _bare(answer) == _bare(truth)


def operation_math(answer: str, truth: str) -> bool:
    """As `operation`, but formulas are compared by value.

    >>> operation("5i + 5", "5+5i"), operation_math("5i + 5", "5+5i")
    (False, True)
    """
    if not _is_formula(truth):
        return operation(answer, truth)
    found, wanted = (set(map(_formula, text.split("or"))) for text in (answer, truth))
    return len(found) == len(wanted) and all(any(same(f, w) for f in found) for w in wanted)


def logic(answer: str, truth: str) -> bool:
    """The same text, spaces, quotes and full stops aside; rows of a truth table in any order between first and last.

    >>> logic("p1 & p2 ]; [p3", "p1&p2];[p3"), logic("I,O];[-,+];[+,-", "I,O];[+,-];[-,+")
    (True, False)
    """
    found, wanted = (re.sub(r'["\n .]', "", text) for text in (answer, truth))
    if re.fullmatch(r"[-+IO\d,;\[\]]+", wanted) and re.search("[-+]", wanted):
        return sorted(f"[[{found}]]".split(";")) == sorted(f"[[{wanted}]]".split(";"))
    return found == wanted


def puzzle(answer: str, truth: str) -> bool:
    """By shape: word lists, assignments, arithmetic, grids of arrows; else the same letters and digits in a row.

    >>> puzzle("Cat act", "act cat"), puzzle("A=2, B=1", "B=1,A=2"), puzzle("2+6*3-2=18", "6+2*3-2=10")
    (True, True, False)
    """
    if truth in WORD_LISTS:
        return sorted(re.findall(r"\w+", answer.lower())) == sorted(truth.split())
    letters = re.sub(r"[^A-Za-z]", "", answer).lower()
    if truth in ONE_WORD:
        return len(letters) >= 3 and letters in truth
    if re.fullmatch(r"[a-z]+(,[a-z]+)*", truth):
        return letters in truth.split(",")
    if re.fullmatch(r"[A-Za-z]{2,}( [A-Za-z]{2,})+", truth):
        return letters == truth.replace(" ", "").lower()
    if re.match(r"[A-Z]=\d", truth):
        return sorted(re.sub(r"\s+", "", answer).split(",")) == sorted(truth.split(","))
    if re.search("[←↑→↓]", truth):
        return re.sub(r"[,\s\[\]]+", "", answer) == re.sub(r"[,\s\[\]]+", "", truth)
    if re.fullmatch(r"[-+*/×()\d\s=]+", truth) and re.search(r"[-+*/×]", truth):
        return _equation(answer, truth)
    return re.sub(r"\W+", "", answer) == re.sub(r"\W+", "", truth)


def plain(answer: str, truth: str) -> bool:
    """The same text, spaces, quotes and square brackets aside: ciphers, and choices in counterfactual worlds.

    >>> plain('"N F"', "NF"), plain("n", "N")
    (True, False)
    """
    return _bare(answer) == _bare(truth)


def _bare(text: str) -> str:
    return re.sub(r'["\n \[\]]', "", text)


def _is_formula(truth: str) -> bool:
    if truth in AS_TEXT or truth.startswith(("{", "((")) or "=" in truth:
        return False
    return re.search(r"\\|[eix]", truth) is not None


def _formula(text: str) -> str:
    text = re.sub(r'["\n\[\]$]', "", text).rsplit("=", 1)[-1]
    text = re.sub(r"\\(?:[()]|text\{[^}]*\}|left|right|displaystyle)", "", text)
    return text.replace("\\\\", "\\")


def _equation(answer: str, truth: str) -> bool:
    """A game of operators has the true operators and result; a game of 24 has the true digits and makes 24."""
    left, wanted = (text.replace("×", "*").replace("−", "-").split("=")[0] for text in (answer, truth.split("\n")[0]))
    if "=" in truth:
        same_pieces = re.findall(r"[-+*/]", left) == re.findall(r"[-+*/]", wanted)
        result = arithmetic(truth.split("=")[1])
    else:
        same_pieces = sorted(re.sub(r"\W+", "", left)) == sorted(re.sub(r"\W+", "", wanted))
        result = 24
    return same_pieces and result is not None and arithmetic(left) == result


CATEGORIES: dict[str, Callable[[str, str], bool]] = {
    "operation": operation,
    "operation-math": operation_math,
    "counterfactual": plain,
    "logic": logic,
    "puzzle": puzzle,
    "cipher": plain,
}
