"""KOR-Bench's published rules of evaluation (arXiv 2410.06526; KOR-Bench/KOR-Bench, eval), from their definitions.

The published evaluation chooses a rule by the category and number of the question. A grader sees the true answer only,
so here the answer's shape chooses: `{..}` is a set, `((..))` a matrix, arrows are a grid, and so on. `WORD_LISTS`,
`ONE_WORD` and `AS_TEXT` list the few answers of the benchmark whose shape is shared by two rules.

Facts about the published labels, which are followed here since the published verdict is the aim:

1. Formulas of `operation` are meant to be compared by sympy, but every published label is what a comparison of their text
   gives, spaces included: `5 + 5i` is wrong where `5+5i` is true. The kind `korbench-operation-math` compares values.
2. The published rules can be talked into credit, and are stricter here as far as no published label changes: a set's
   elements, a matrix's rows and signs, the words around them, and the result that is stated in a game must be right.
3. What published labels force, and a person would call wrong: of `ONE_WORD`, a part of a word (`ould` for `could`; here
   of four letters at least, the fewest of any label); of a list of words, letters moved between words (`newsp aper`); in a
   game of operators, other numbers than given.
"""

# ruff: noqa: RUF001 (the signs of multiplication, subtraction and divisibility are in the data)
from __future__ import annotations

import re
from collections.abc import Callable

from mtalign.grading.mathematics import same
from mtalign.grading.notation import arithmetic

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
SET_OF_BOUNDS = re.compile(r"\{\w\s*[∣|]")
ELEMENT = r"-?\w+(?:\.\d+)?"
SIGNS = re.compile(
    r"[-+*/<>=^|&%!?~≠¬±≤≥]|\d\.(?=\d)"
)  # that make it another thing, where the true answer has none of them
FEWEST_LETTERS = 4  # of a part of a word that counts as the word
NAME = re.compile(
    r"[A-Za-z]\d?'?(?:\([\W\d]*\w?[\W\d]*\))?|[A-Za-z]\s*[^\w\s+\-*/<>^|]\s*[A-Za-z]|\\frac\s*\{d\}.*"
)  # y, f(x), f△g


def operation(answer: str, truth: str) -> bool:
    """Numbers and formulas; several solutions, joined by `or`, in any order.

    >>> operation("-12 or 4", "4or-12"), operation("{4, 1}", "{1,4}"), operation("((1,2),(3,5))", "((1,2),(3,4))")
    (True, True, False)
    >>> operation("{14}", "{1,4}"), operation("5=2x+3", "2x+3"), operation("2 4", "24")
    (False, False, False)
    """
    if SET_OF_BOUNDS.match(truth):
        return _bounds(answer) == _bounds(truth) != []
    if truth.startswith("{"):
        return _same_signs(answer, truth) and sorted(re.findall(ELEMENT, answer)) == sorted(re.findall(ELEMENT, truth))
    if truth.startswith("(("):
        return _same_signs(answer.replace("&", " "), truth) and _rows(answer) == _rows(truth) != []
    if _is_formula(truth):
        return _formula(answer) == _formula(truth)
    if re.search(r"\d\s+\d", answer):
        return False
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
    found, wanted = (list(map(_formula, text.split("or"))) for text in (answer, truth))
    return len(found) == len(wanted) and all(any(same(f, w) for f in found) for w in wanted)


def logic(answer: str, truth: str) -> bool:
    """The same text, spaces, quotes and a final full stop aside; rows of a truth table in any order between first and last.

    >>> logic("p1 & p2 ]; [p3", "p1&p2];[p3"), logic("I,O];[-,+];[+,-", "I,O];[+,-];[-,+")
    (True, False)
    """
    found, wanted = (re.sub(r'["\n ]', "", text).rstrip(".") for text in (answer, truth))
    if re.fullmatch(r"[-+IO\d,;\[\]]+", wanted) and re.search("[-+]", wanted):
        return sorted(f"[[{found}]]".split(";")) == sorted(f"[[{wanted}]]".split(";"))
    return found == wanted


def puzzle(answer: str, truth: str) -> bool:
    """By shape (`SHAPES`): word lists, assignments, arithmetic, grids of arrows; else the same letters and digits in a row.

    >>> puzzle("Cat act", "act cat"), puzzle("A=2, B=1", "B=1,A=2"), puzzle("2+6*3-2=18", "6+2*3-2=10")
    (True, True, False)
    """
    return next(rule for has_shape, rule in SHAPES if has_shape(truth))(answer, truth)


def plain(answer: str, truth: str) -> bool:
    """The same text, spaces, quotes and square brackets aside: ciphers, and choices in counterfactual worlds.

    >>> plain('"N F"', "NF"), plain("n", "N")
    (True, False)
    """
    return _bare(answer) == _bare(truth)


def _bare(text: str) -> str:
    bare = re.sub(r"[\n ]", "", text)
    return bare.strip('"[]') or bare


def _same_signs(answer: str, truth: str) -> bool:
    """Whether the answer has no sign of `SIGNS` that the truth has not."""
    return set(SIGNS.findall(answer)) <= set(SIGNS.findall(truth))


def _bounds(text: str) -> list[tuple[str, str]]:
    """The bounds of a union of half-lines; none where it says anything but `or`, names and signs."""
    text = re.sub(r"\\text\s*\{\s*or\s*\}|∪|\\cup", " or ", text)
    bounds = re.findall(r"([≥≤])\s*(-?\d+\.?\d*)", text)
    words = re.findall(r"[^\W\d_]{2,}", text)
    others = re.findall(r"\d", re.sub(r"[≥≤]\s*-?\d+\.?\d*", "", text))
    return [] if others or words != ["or"] * (len(bounds) - 1) else sorted(bounds)


def _rows(text: str) -> list[list[str]]:
    """The numbers of a matrix by rows, in brackets of any kind or LaTeX; none where it says anything else."""
    text = re.sub(r"\\(?:begin|end)\{[bp]?matrix\}|\\(?:left|right)|\\(?=\s*$)", "", text)
    if re.search(r"[^\W\d_]", text):
        return []
    rows = [re.findall(r"-?\d+(?:\.\d+)?", row) for row in re.split(r"[)\]};]|\\\\", text)]
    return [row for row in rows if row]


def _is_formula(truth: str) -> bool:
    if truth in AS_TEXT or truth.startswith(("{", "((")) or "=" in truth:
        return False
    return re.search(r"\\|[eix]", truth) is not None


def _formula(text: str) -> str:
    """The formula, without the name before an equals sign: `f(x)=`."""
    name, _, formula = re.sub(r'["\n\[\]$]', "", text).rpartition("=")
    if name and not NAME.fullmatch(name.strip()):
        return text
    formula = re.sub(r"\\(?:[()]|text\{\s*\}|left|right|displaystyle)", "", formula)
    return formula.replace("\\\\", "\\")


def _all_words(answer: str, truth: str) -> bool:
    return sorted(re.findall(r"\w+", answer.lower())) == sorted(truth.split())


def _part_of_a_word(answer: str, truth: str) -> bool:
    letters = (
        re.sub(r"[^\x00-\x7f]", "", answer).strip(" \n\"'.,[]").lower()
    )  # one label is of `find` with Cyrillic after it
    is_one = letters.isalpha() and len(letters) >= FEWEST_LETTERS
    return is_one and any(letters in word for word in truth.split())


def _one_word(answer: str, truth: str) -> bool:
    return answer.strip(" \n\"'.,[]").lower() in truth.split(",")


def _words_in_order(answer: str, truth: str) -> bool:
    words = re.findall("[a-z]+", answer.lower())
    return (
        _same_signs(answer, truth)
        and not re.search(r"\d", answer)
        and "".join(words) == truth.replace(" ", "").lower()
        and len(words) == len(truth.split())
    )


def _assignments(answer: str, truth: str) -> bool:
    return sorted(re.sub(r"\s+", "", answer).split(",")) == sorted(truth.split(","))


def _arrows(answer: str, truth: str) -> bool:
    return re.sub(r"[,\s\[\]]+", "", answer) == re.sub(r"[,\s\[\]]+", "", truth)


def _letters_and_digits(answer: str, truth: str) -> bool:
    if re.fullmatch(r"\d+", truth):
        return answer.strip(' \n".') == truth
    return _same_signs(answer, truth) and re.sub(r"\W+", "", answer) == re.sub(r"\W+", "", truth)


def _equation(answer: str, truth: str) -> bool:
    """A game of operators has the true operators and result; a game of 24 the given numbers."""
    (left, *results), (wanted, *wanted_results) = (
        text.replace("×", "*").replace("−", "-").split("=") for text in (answer, truth.split("\n")[0])
    )
    if wanted_results:
        fits = re.findall(r"[-+*/]", left) == re.findall(r"[-+*/]", wanted)
        result = arithmetic(wanted_results[0])
    else:
        fits = sorted(re.findall(r"\d+", left)) == sorted(re.findall(r"\d+", wanted))
        result = 24
    return fits and result is not None and all(arithmetic(side) == result for side in (left, *results))


SHAPES: list[tuple[Callable[[str], object], Callable[[str, str], bool]]] = [  # the first that the true answer has
    (WORD_LISTS.__contains__, _all_words),
    (ONE_WORD.__contains__, _part_of_a_word),
    (re.compile(r"[a-z]+(,[a-z]+)*").fullmatch, _one_word),
    (re.compile(r"[A-Za-z]{2,}( [A-Za-z]{2,})+").fullmatch, _words_in_order),
    (re.compile(r"[A-Z]=\d").match, _assignments),
    (re.compile("[←↑→↓]").search, _arrows),
    (re.compile(r"(?=.*[-+*/×])[-+*/×()\d\s=]+", re.DOTALL).fullmatch, _equation),
    (lambda truth: True, _letters_and_digits),
]
CATEGORIES: dict[str, Callable[[str, str], bool]] = {
    "operation": operation,
    "operation-math": operation_math,
    "counterfactual": plain,
    "logic": logic,
    "puzzle": puzzle,
    "cipher": plain,
}
