"""A command that is stopped, from a terminal as people do it: one line, its children gone, 128 + signal."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtalign.config import paths

TINY = paths.PACKAGE.parent / "params" / "tiny.yaml"
pytestmark = pytest.mark.skipif(not TINY.is_file(), reason="needs a checkout")


class Terminal:
    """A command in a terminal of its own; `read` waits for words, `end` for its end."""

    def __init__(self, *command: str):
        self.master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=self._own_terminal)
        os.close(slave)

    @staticmethod
    def _own_terminal() -> None:
        import fcntl
        import termios

        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)  # what starts the tests may ignore some, and that is inherited
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # bars are drawn in it

    def read(self, words: str, seconds: float = 240) -> None:
        until = time.monotonic() + seconds
        while not re.search(words, self.text) and time.monotonic() < until and self._more(1):
            pass
        assert re.search(words, self.text), self.text[-2000:]

    def _more(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return False
        return True

    def family(self) -> set[int]:
        """The processes below the command, of any depth."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        found, new = set(), {self.process.pid}
        while new := {pid for pid, parent in parents.items() if parent in new} - found:
            found |= new
        return found

    def children(self, number: int, seconds: float = 240) -> set[int]:
        """The processes below the command, as soon as there are so many."""
        until = time.monotonic() + seconds
        while len(found := self.family()) < number and time.monotonic() < until and self._more(0.1):
            pass
        assert len(found) >= number, self.text[-2000:]
        return found

    def end(self, seconds: float = 120) -> int:
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            self._more(0.2)
        while self._more(0.1) and select.select([self.master], [], [], 0)[0]:
            pass
        return self.process.wait(1)


def alive(pids: set[int]) -> list[str]:
    """The commands of those processes that are still there."""
    found = []
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200])
        except OSError:
            continue
    return found


def assert_stopped_well(terminal: Terminal, children: set[int], status: int, words: str) -> None:
    assert terminal.end() == status, terminal.text[-2000:]
    assert words in terminal.text and "Traceback" not in terminal.text and "resource_tracker" not in terminal.text
    for _ in range(50):
        if not alive(children):
            break
        time.sleep(0.2)
    assert alive(children) == []


@pytest.fixture
def study(tmp_path):
    terminals = []

    def start() -> Terminal:
        terminals.append(Terminal(sys.executable, "-m", "mtalign", "study", str(TINY), "--out", str(tmp_path / "out")))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.process.kill()
        os.close(terminal.master)


SLOWLY = """import signal, sys
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            signal.raise_signal(signal.{name})
sys.meta_path.insert(0, Slow())
sys.argv = ["mtalign", "list", "arms"]
from mtalign.__main__ import main
main()
"""


LATE = """import atexit, signal, sys
atexit.register(signal.raise_signal, signal.{name})
sys.argv = ["mtalign", "list", "arms"]
from mtalign.__main__ import main
main()
"""


def ended(code: str) -> tuple[int, str]:
    def heard() -> None:  # a shell's background jobs ignore Ctrl-C, and hand that on
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=heard)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_modules_are_imported_is_one_line(name):
    assert ended(SLOWLY.format(name=name)) == (128 + signal.Signals[name], "mtalign: stopped; nothing was begun\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_after_the_end_says_nothing(name):
    assert ended(LATE.format(name=name)) == (0, "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGHUP))],
    ids=lambda number: number.name,
)
def test_a_study_that_begins_its_workers_ends_in_one_line_with_all_children(study, number):
    terminal = study()
    children = terminal.children(3)  # the workers are importing
    if number == signal.SIGINT:
        os.write(terminal.master, b"\x03")  # Ctrl-C, which every process of the terminal gets
    else:
        terminal.process.send_signal(number)
    assert_stopped_well(terminal, children, 128 + number, "" if number == signal.SIGHUP else "mtalign: stopped; ")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_study_that_executes_notebooks_begins_no_more_of_them(study, tmp_path, number):
    terminal = study()
    terminal.read(r"notebooks: [1-9]\d* to execute")
    time.sleep(4)  # kernels are starting
    children = terminal.family()
    if number == signal.SIGINT:
        os.write(terminal.master, b"\x03")
    else:
        terminal.process.send_signal(number)
    assert_stopped_well(terminal, children, 128 + number, "mtalign: stopped; ")
    executed = len(list((tmp_path / "out").glob("[!.]*.ipynb")))
    time.sleep(5)
    assert len(list((tmp_path / "out").glob("[!.]*.ipynb"))) == executed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_diagnose_gives_what_there_is_and_the_status_says_that_it_was_stopped(number):
    words = ["diagnose", "--model", "micro-a", "--task", "logic", "--precision", "0.01", "--samples", "512"]
    terminal = Terminal(sys.executable, "-m", "mtalign", *words)
    terminal.read(r"\d+ s +\d+ prompts", 600)
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number and "interrupted" in terminal.text, terminal.text[-2000:]
    os.close(terminal.master)
