"""Sandboxes: warm processes that compare untrusted answers, each verdict within a hard limit of wall and processor time.

`Sandbox(name).ask(request)` -> a score. The process is started by `subprocess`, so that it also works in daemon workers,
threads and notebooks. It imports its library once and then *forks* for every request; the fork may use `CPU_SECONDS` of
processor time and 4 GiB of memory, sees no file but Python's library, makes no process and no socket (`confine` says what
remains where the platform has no means), and is killed at the wall-clock limit with all that it left. So a hopeless
comparison costs its limit and no restart, a load on the machine changes nothing until it is some ten times too high, and
no verdict depends on those before it. `sandbox_process` is the other end.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

PROCESS = Path(__file__).with_name("sandbox_process.py")  # the other end; imports nothing of mtalign
START_SECONDS = 120.0  # that a process may take to import its library
KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
MARGIN = 0.2  # seconds of wall-clock above a request's limit until the process itself is given up


def environment() -> dict[str, str]:
    """Variables of the sandbox: what it takes to start Python. Others hold tokens, and what a program returns is kept."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


class Sandbox:
    """A process that compares: started when first asked, and again where it died."""

    def __init__(self, name: str):
        self.name, self.lock, self.process = name, threading.Lock(), None
        self.owner = os.getpid()

    def ask(self, request: dict, seconds: float):
        """The score that the process gives, or of `programs` the text that a program said; None where there is none within `seconds` of wall-clock.

        Raises:
            RuntimeError: the process does not start; its last words are in the message.
        """
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self._start()
            try:
                self.process.stdin.write(json.dumps(request | {"seconds": seconds}).encode() + b"\n")
                self.process.stdin.flush()
                if line := self._line(seconds + MARGIN):
                    return json.loads(line)
            except (OSError, ValueError):
                pass
            self.stop()
            return None

    def _start(self) -> None:
        command = [sys.executable, "-P", str(PROCESS), self.name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True, env=environment(),
        )  # fmt: skip
        if self._line(START_SECONDS) != b"ready\n":
            self.process.kill()
            reason = " ".join(self.process.communicate()[1].decode(errors="replace").split())[-200:]
            self.process = None
            raise RuntimeError(f"the sandbox of {self.name} does not start: {reason}")
        self.process.stderr.close()

    def _line(self, seconds: float) -> bytes:
        """One line; b"" where it does not come in time. The process writes one short line for each request."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline() if ready else b""

    def stop(self) -> None:
        """Ends the process; a forked copy of this object leaves it alone."""
        if self.process is not None and self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        self.process = None


@lru_cache
def _of(name: str, process: int) -> Sandbox:
    found = Sandbox(name)
    atexit.register(found.stop)
    return found


def sandbox(name: str) -> Sandbox:
    """The sandbox of this process: `math`, `reasoning-gym` or `programs`."""
    return _of(name, os.getpid())
