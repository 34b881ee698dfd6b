"""Answers scored by reasoning-gym's own verifiers, each in a process of its own (`sandbox`): they are neither bounded nor safe.

A question's kind says all that its verifier needs, `rg:<dataset>?<settings as JSON>#<index>`, so that any process can grade
it without having made the task.

Full marks of a verifier (0.1.25) are not enough: some take the first number of any text, or every text. So

1. `OWN` are verdicts of ours where a verifier is wrong outright;
2. a number that is none (`nan`: the distance to it counts as zero) is wrong, and so are commas that separate no thousands;
3. where a verifier also gives full marks to the answer with `not` before it or `or 0` after it, it reads a part of the text
   only: then the answer may have no other words than the true one, no more numbers, and as a number must be the true one;
4. marks of doubt or denial (`!`, `?`, `~`) that the key has not, and in a grid of numbers anything else, are wrong.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial

from mtalign.grading.notation import arithmetic, number
from mtalign.grading.sandbox import START_SECONDS, sandbox

SECONDS = (
    16.0  # of wall-clock for a verdict: ends what waits; what computes has 1 s of processor time, else it is wrong
)
MAX_ANSWER = 2000  # characters; a longer answer is wrong
PROBES = ("not {}", "{} or 0", "no, {}")  # an answer's denials: a verifier that gives them full marks reads a part only
CLOSE = Fraction(1, 100)  # the widest that a verifier rounds, as a share of the true number
NO_NUMBER = re.compile(r"(?<![a-z])[-+]?(?:nan|inf|infinity)i?j?(?![a-z])", re.I)
DOUBT = re.compile(r"[!?~¬]")
GRID, OF_GRIDS = (
    re.compile(r"\d[\d\s]*\n[\d\s]*"),
    re.compile(r"[\d\s\[\],|]*"),
)  # ... of numbers, and how one may be written
SAYS_NOTHING = {"a", "an", "the", "is", "and", "frac", "dfrac"}


def kind(dataset: str, settings: dict, index: int) -> str:
    """The kind of a question of a data set of reasoning-gym.

    >>> kind("leg_counting", {"seed": 1, "size": 9}, 3)
    'rg:leg_counting?{"seed": 1, "size": 9}#3'
    """
    return f"rg:{dataset}?{json.dumps(settings)}#{index}"


def grader(kind: str) -> Callable[[str, str], bool]:
    """What compares an answer with the truth, by the verifier that the kind names.

    Raises:
        KeyError: it is no kind of reasoning-gym's.
    """
    dataset, mark, rest = kind.removeprefix("rg:").partition("?")
    settings, hash_, index = rest.rpartition("#")
    if not (kind.startswith("rg:") and mark and hash_ and index.isdecimal()):
        raise KeyError(kind)
    return partial(_is_right, dataset, settings, int(index))


def _is_right(dataset: str, settings: str, index: int, answer: str, truth: str) -> bool:
    """Whether the verifier of reasoning-gym gives full marks within `SECONDS`, and means the whole answer."""
    answer, truth = answer.strip(), truth.strip()
    if answer == truth:
        return truth != "None"  # the text of a missing key: there the verifier alone knows, and `None` is no solution
    if not answer or len(answer) > MAX_ANSWER:
        return False
    if dataset in OWN:
        return OWN[dataset](answer, truth)
    if truth != "None" and _strange(answer, truth):
        return False
    if NO_NUMBER.search(answer) and not NO_NUMBER.search(truth):
        return False
    if _is_number(truth.replace(",", "")) and "," in answer and "," not in truth and number(answer) is None:
        return False
    _warm_up(dataset, settings, os.getpid())
    score = _ask(dataset, settings, index, answer, truth, SECONDS) or 0.0
    return says_no_more(answer, truth) if score >= 2 else score >= 1 - 1e-9


def _strange(answer: str, truth: str) -> bool:
    """Whether the answer has signs that no writing of the true one has."""
    is_grid = GRID.fullmatch(truth) is not None
    return not set(DOUBT.findall(answer)) <= set(truth) or (is_grid and not OF_GRIDS.fullmatch(answer))


def _coin_flip(answer: str, truth: str) -> bool:
    """Within 1e-4, as the verifier means to; it gives full marks to `0` for 0.375, whose beginning that is."""
    found, wanted = number(answer), number(truth)
    return found is not None and wanted is not None and abs(found - wanted) <= Fraction(1, 10_000)


def _same_word(answer: str, truth: str) -> bool:
    """The same word; the verifier of game_of_life_halting compares whether texts are empty: all are right."""
    return answer.casefold() == truth.casefold()


def _puzzle24(answer: str, truth: str) -> bool:
    """24 of the numbers given, which are those of the key; the verifier takes any four, so that one text is always right."""
    numbers, given = (sorted(map(int, re.findall(r"\d+", text))) for text in (answer, truth))
    return numbers == given and "." not in answer and arithmetic(answer) == 24


OWN: dict[str, Callable[[str, str], bool]] = {
    "coin_flip": _coin_flip, "game_of_life_halting": _same_word, "puzzle24": _puzzle24,
}  # fmt: skip


def says_no_more(answer: str, truth: str) -> bool:
    """Whether an answer has no words beyond the truth's, no more numbers and single letters, and the same one number.

    >>> says_no_more("44", "44 days"), says_no_more("44 or 45 days", "44 days"), says_no_more("-2", "2")
    (True, False, False)
    >>> says_no_more("Bo is an elf, Al is a dwarf", "Al is a dwarf, and Bo is an elf."), says_no_more("LLRU", "RRLU")
    (True, True)
    """
    if _is_number(truth):
        found, wanted = number(answer), number(truth)
        return found is not None and abs(found - wanted) <= CLOSE * abs(wanted)
    said, wanted = (re.findall(r"[^\W\d_]+|[-+]?\d+(?:\.\d+)?|[%*/]", text) for text in (answer, truth))
    if len(said) == len(wanted) == 1 and all(re.fullmatch("[UDLR]+", text[0]) for text in (said, wanted)):
        return True  # moves
    said = [word for word in said if word not in SAYS_NOTHING]
    words, true_words = (Counter(w.lower() for w in each if len(w) > 1 and w.isalpha()) for each in (said, wanted))
    others, true_others = (sum(len(w) == 1 or not w.isalpha() for w in each) for each in (said, wanted))
    return words <= true_words and others <= true_others


def _is_number(text: str) -> bool:
    return number(text) is not None


def _ask(dataset: str, settings: str, index: int, answer: str, truth: str, seconds: float) -> float | None:
    """The verifier's score; 2 where it gives full marks to one of `PROBES` too; 0 where its question is another one."""
    answers = [answer, *(probe.format(answer) for probe in PROBES)]
    request = {"dataset": dataset, "settings": json.loads(settings), "index": index, "answers": answers, "truth": truth}
    return sandbox("reasoning-gym").ask(request, seconds)


@lru_cache
def _warm_up(dataset: str, settings: str, process: int) -> None:
    """Lets the sandbox make the data set, which may take longer than a verdict."""
    _ask(dataset, settings, 0, "", "", START_SECONDS)
