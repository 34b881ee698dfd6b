"""What can be wrong, as exceptions whose message is one line that names the file and the key."""

from __future__ import annotations


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
