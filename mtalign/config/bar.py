"""Bars: how far a long piece of work is, on standard error.

On a terminal and in a notebook a bar moves in place; anywhere else (a log file, a CI job) it is a line every 30 seconds and
one at the end; after `be_quiet` there is none.
"""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines
_quiet = False


def be_quiet() -> None:
    """Shows no bars from now on, in this process."""
    global _quiet
    _quiet = True


def is_quiet() -> bool:
    """Whether `be_quiet` was called, to hand it on to other processes."""
    return _quiet


class _WholeLines:
    """Standard error for tqdm: what it writes becomes lines, without carriage returns and blanks."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(text.strip() + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


class Lines(tqdm):
    """A bar for a file: a line now and then, instead of carriage returns."""

    def __init__(self, *args, **options):
        self._shown = time.monotonic() - EVERY
        super().__init__(*args, file=_WholeLines(), mininterval=EVERY, maxinterval=EVERY, **options)

    def refresh(self, *args, **options) -> bool | None:
        """Writes a line, where the last one is long enough ago."""
        if time.monotonic() - self._shown < EVERY:
            return None
        self._shown = time.monotonic()
        return super().refresh(*args, **options)


def bar(iterable=None, **options) -> tqdm:
    """A bar as `tqdm` takes its options, for where standard error goes."""
    moving = sys.stderr.isatty() or "ipykernel" in sys.modules
    return (tqdm if moving else Lines)(iterable, disable=_quiet, **options)
