"""What a command says while it works, on standard error: nothing with `--quiet`, a moving line on a terminal alone."""

from __future__ import annotations

import sys
import time

import click

EVERY = 10.0  # seconds between two lines where the output is no terminal


def is_quiet() -> bool:
    """Whether `mtalign --quiet` was asked for."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("quiet"))


def told(line: str) -> None:
    """Prints a line of progress."""
    if not is_quiet():
        click.echo(line, err=True)


class Ticker:
    """Shows how far something is: in place on a terminal, a line every ten seconds elsewhere.

    Called with the number of what is done and the seconds since the start.
    """

    def __init__(self, text: str):
        self.text, self.last, self.moving = text, time.monotonic(), sys.stderr.isatty()

    def __enter__(self) -> Ticker:
        return self

    def __call__(self, done: int, seconds: float) -> None:
        """Shows it, if it is time to."""
        now = time.monotonic()
        if is_quiet() or now - self.last < (0.5 if self.moving else EVERY):
            return
        self.last = now
        line = f"{seconds:4.0f} s  {self.text.format(done)}"
        click.echo(f"\r{line}" if self.moving else line, err=True, nl=not self.moving)

    def __exit__(self, *_) -> None:
        if self.moving and not is_quiet():
            click.echo("\r\033[K", err=True, nl=False)
