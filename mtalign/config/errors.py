"""What can be wrong, as exceptions whose message is one line that names the file and the key."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from difflib import get_close_matches


class ConfigError(ValueError):
    """Bad input: one line that names the file and the key."""


class LaunchError(RuntimeError):
    """The processes ended without a result, with what they said."""


class ResourcesError(ValueError):
    """A wrong entry; the message begins with its key."""


class RunError(RuntimeError):
    """A run that cannot be done, with the reason."""


def in_one_line(error: BaseException, most: int = 300) -> str:
    """What an exception says, with its type, on one line of at most `most` characters.

    >>> in_one_line(ValueError("first\\n  second"))
    'ValueError: first second'
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())[:most]
    return text.encode(errors="replace").decode()  # a lone surrogate could not be written to a file


def check_keys(
    where: str, given: Iterable, known: Iterable[str], what: str = "key", error: type[Exception] = ConfigError
):
    """Raises `error` where a given key is not among the known ones.

    >>> check_keys("grid.yaml: fixed", ["seeds"], ["seed", "task"])
    Traceback (most recent call last):
    mtalign.config.errors.ConfigError: grid.yaml: fixed: seeds: unknown key; nearest: seed; known: seed, task
    """
    known = list(known)
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), known, 1, 0.75)
            hint = f"nearest: {near[0]}; known" if near else "known"
            raise error(f"{where}{': ' if where else ''}{key}: unknown {what}; {hint}: {', '.join(known)}")


NAMES_OF_TYPES = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", list: "a list",
    dict: "a mapping of keys to values",
}  # fmt: skip


def mismatch(value, kind) -> str | None:
    """What is wrong with the type of a value; None where nothing is. A whole number is a number; true is no number.

    Args:
        kind: a type of `NAMES_OF_TYPES`, or a `typing.Literal` of the values that there are.

    >>> mismatch(1, float), mismatch(True, int), mismatch("x", typing.Literal["a", "b"])
    (None, 'expected a whole number, got True', "unknown value 'x'; known: a, b")
    """
    if typing.get_origin(kind) is typing.Literal:
        known = typing.get_args(kind)
        return None if value in known else f"unknown value {value!r:.60}; known: {', '.join(known)}"
    if type(value) is kind or (kind is float and type(value) is int):
        return None
    hint = " (YAML needs 1.0e-3)" if kind is float and isinstance(value, str) and "e" in value.lower() else ""
    return f"expected {NAMES_OF_TYPES[kind]}, got {value!r:.60}{hint}"
