"""The shape of mathematics: its variables, relations, brackets and number of values. An answer must have the key's."""

from __future__ import annotations

import re

from mtalign.grading.canonical import canonical

BASE = re.compile(r"(\d+)_\{?(\d+)\}?")
RELATIONS = {  # what an answer may only say where the key says it too
    "order": r"[<>]|\\(?:le|ge|leq|geq|leqslant|geqslant|lt|gt)(?![a-z])",
    "other": r"\\(?:ne|neq|notin|approx|equiv|to|mid|vert|lor|land|ldots|dots|cdots|quad|qquad|vec|hat|bar)(?![a-z])|[|?\"':]",
    "row": r"(?<![_\d])\d+ [\d.]",  # math-verify adds them up: 0 1 2 3 4 5 6 7 8 9 is 45
    "nothing": r"\\(?:emptyset|varnothing)|\\\{\\\}",
}


def fits(given: str, wanted: str) -> bool:
    """Whether the answer has the key's shape: its letters, relations, brackets and number of values."""
    return (
        letters(given) <= letters(wanted) | {"e", "i"}
        and (letters(given) == letters(wanted) or "=" not in wanted)
        and all(_says(pattern, given) <= _says(pattern, wanted) for pattern in RELATIONS.values())
        and same_bases(given, wanted)
        and _brackets(given) == _brackets(wanted)
        and _same_count(given, wanted)
    )


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def letters(text: str) -> set[str]:
    """The variables: letters outside of commands and names of functions; `and`, `or` join values."""
    text = re.sub(
        r"\\(?:begin|end)\{\w+\}|\\(?:mathbb)\{\w+\}|\\[A-Za-z]+|(?<![A-Za-z])(?:or|and|OR)(?![A-Za-z])", " ", text
    )
    return set(re.findall("[A-Za-z]", text))


def same_bases(given: str, wanted: str) -> bool:
    """Of numerals with a base: an answer has the key's or none, and its digits."""
    found, key = BASE.fullmatch(given), BASE.fullmatch(wanted)
    if key:
        return (found[1].lstrip("0") if found else given) == key[1].lstrip("0") and (not found or found[2] == key[2])
    return BASE.search(given) is None or BASE.search(wanted) is not None


def _brackets(text: str) -> list[str]:
    """The kinds of brackets around values with commas, intervals and points; sets are left aside."""
    opened: list[list] = []
    kinds = []
    for at, sign in enumerate(text):
        if sign in "([{":
            opened.append([text[at - 1 : at + 1] if text[at - 1 : at] == "\\" else sign, False])
        elif sign in ")]}" and opened:
            opening, has_comma = opened.pop()
            if has_comma and opening in ("(", "["):
                kinds.append(opening + sign)
        elif sign == "," and opened:
            opened[-1][1] = True
    return sorted(kinds)


def values(text: str) -> list[str]:
    r"""The values of a list or set: split at commas, semicolons, `and`, `or` outside of brackets; `\pm` is two."""
    text = text.strip()
    if text.startswith("\\{") and text.endswith("\\}"):
        text = text[2:-2]
    depth, parts = 0, [""]
    for token in re.findall(r"(?<![A-Za-z])(?:or|and|OR)(?![A-Za-z])|.", text, re.DOTALL):
        depth += (token in "([{") - (token in ")]}")
        if depth == 0 and (token in (",", ";") or token in ("or", "and", "OR")):
            parts.append("")
        else:
            parts[-1] += token
    parts = [part.strip() for part in parts if part.strip()]
    return [text for part in parts for text in ([part] if "\\pm" not in part else [part, part + "'"])]


def _same_count(given: str, wanted: str) -> bool:
    """Whether there are as many values, a list with as many different ones, and a set or nothing around them."""
    found, key = values(given), values(wanted)
    if "\\{" in given and len(key) == 1 and "\\{" not in wanted:
        return False
    if "\\{" in wanted:
        return len({canonical(v) for v in found}) == len({canonical(v) for v in key})
    return len(found) == len(key) and len({canonical(v) for v in found}) == len({canonical(v) for v in key})
