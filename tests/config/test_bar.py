"""Bars: a line now and then in a file, in place on a terminal, nothing when quiet."""

import os
import pty
import subprocess
import sys
import termios

from mtalign.config.paths import PACKAGE

CODE = """
import sys, time
from mtalign.config import bar
bar.EVERY = {every}
{quiet}
with bar.bar(total=400, desc="runs") as shown:
    for number in range(400):
        shown.set_description(f"runs {{number}}/400 done")
        shown.update()
        time.sleep(0.005)
"""


def run(every=0.5, quiet="", terminal=False):
    code = CODE.format(every=every, quiet=quiet)
    if not terminal:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))  # tqdm asks for the width
    process = subprocess.Popen([sys.executable, "-c", code], stderr=child)
    os.close(child)
    found = read(parent)
    assert process.wait() == 0
    return found


def read(terminal):
    """All that is written to a terminal until its program ends."""
    found = b""
    try:
        while more := os.read(terminal, 65536):
            found += more
    except OSError:  # its end
        pass
    return found.decode()


def test_in_a_file_a_bar_is_a_few_whole_lines():
    lines = run().splitlines()
    assert 2 <= len(lines) <= 20 and all("runs" in line and "%" in line for line in lines)
    assert "100%" in lines[-1]


def test_in_a_file_a_long_work_says_something_at_its_begin_and_its_end():
    lines = run(every=30).splitlines()
    assert len(lines) == 2 and "100%" in lines[-1]


def test_on_a_terminal_a_bar_moves_in_place():
    assert run(terminal=True).count("\rruns") > 5


def test_quiet_shows_nothing():
    assert run(quiet="bar.be_quiet()") == ""


def test_nothing_in_the_package_draws_a_bar_of_its_own():
    own = {"config/bar.py", "models/packaged.py"}  # the second stands in for transformers' bar, on a terminal alone
    found = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if "import tqdm" in p.read_text("utf-8")}
    assert found == own
