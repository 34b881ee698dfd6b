"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) end a command alike: children gone, one line, exit status 128 + signal."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """While it is entered, the first of `SIGNALS` raises `KeyboardInterrupt`, and further ones are not heard.

    So what is stopped can end its children in peace, which takes seconds. A signal that is ignored (`nohup`) stays so.

    Attributes:
        status: the exit status of a command that was stopped, also where it gave what there was; 0 before.
    """

    def __init__(self):
        self.status = 0
        self.before: dict[int, object] = {}

    def __enter__(self) -> Stop:
        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                self.before[each] = signal.signal(each, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self.before.items():
            signal.signal(each, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.status = 128 + number
        for each in self.before:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGHUP:  # nobody reads any more, and writing to a terminal that is gone fails
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(nowhere, stream.fileno())
        raise KeyboardInterrupt
