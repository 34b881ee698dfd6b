"""What a verdict may do, if it ever ran model text: compute, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mtalign.grading import sandbox_process
from mtalign.grading.sandbox import environment

HERE = Path(sandbox_process.__file__).parent
ATTEMPTS = """
import ctypes, errno, os, signal, socket, subprocess, sys, time
sys.path.insert(0, {here!r})
from sandbox_process import ALLOWED, confine, limited

def read(): return open({secret!r}).read()
def list_(): return os.listdir({folder!r})
def delete(): os.remove({secret!r})
def change(): os.chmod({secret!r}, 0o777)
def write(): return open({secret!r}, "w")
def fork():
    if os.fork() == 0:
        os.setsid()
        open({pid!r}, "w")
        time.sleep(60)
def run(): subprocess.run(["true"], check=True)
def connect(): socket.socket()
def end_the_sandbox(): os.kill(os.getppid(), signal.SIGTERM)
def call_any_other():
    libc, allowed = ctypes.CDLL(None, use_errno=True), ALLOWED[os.uname().machine][1]
    assert "signals" in TAKEN
    refused = [libc.syscall(n, *[-1] * 6) == -1 and ctypes.get_errno() == errno.EPERM for n in range(600) if n not in allowed]
    if all(refused):
        raise PermissionError
def compute(): import colorsys; return sum(range(99))

def worked(attempt):
    def verdict():
        attempt()
        return 1.0
    return limited(verdict, 10) == 1.0

def taken():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, " ".join(confine()).encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 999).decode().split()

TAKEN = taken()
print(__import__("json").dumps([TAKEN, {{name: worked(globals()[name]) for name in {names!r}}}]))
"""
OF = {  # attempt -> what `confine` takes where the platform has the means
    "read": "files", "list_": "files", "delete": "files", "write": "writing", "change": "processes", "fork": "processes",
    "run": "processes", "connect": "network", "end_the_sandbox": "signals", "call_any_other": "signals", "compute": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_text("kept")
    places = {"secret": str(folder / "secret"), "folder": str(folder), "pid": str(folder / "escaped")}
    code = ATTEMPTS.format(here=str(HERE), names=list(OF), **places)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    taken, worked = json.loads(done.stdout)
    return taken, worked, folder


@pytest.mark.parametrize("attempt", [name for name in OF if OF[name]])
def test_a_verdict_can_reach_nothing_outside_of_itself(outcome, attempt):
    taken, worked, _ = outcome
    if OF[attempt] not in taken:
        pytest.skip(f"this platform has no means to take {OF[attempt]} from a process")
    assert not worked[attempt]


def test_what_a_verdict_needs_is_left(outcome):
    _, worked, folder = outcome
    assert worked["compute"]
    assert (folder / "secret").read_text() == "kept" and [p.name for p in folder.iterdir()] == ["secret"]


def test_a_process_that_left_its_group_ends_with_the_verdict():
    code = f"""
import ctypes, os, sys, time
sys.path.insert(0, {str(HERE)!r})
import sandbox_process
sandbox_process.confine = list  # as on a platform without the means
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # as `main` does
def escape():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    time.sleep(0.5)
    return 1.0
assert sandbox_process.limited(escape, 10) == 1.0
print(open(f"/proc/self/task/{{os.getpid()}}/children").read().split())
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_sandbox_knows_no_secret_of_who_started_it(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in environment().values() and environment()["PYTHONHASHSEED"] == "0"
