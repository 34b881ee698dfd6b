"""Programs graded by tests: off unless asked for, right where all tests pass, and kept from everything where hostile."""

import json
import socket
import time

import pytest

from mtalign.config.errors import ConfigError
from mtalign.grading import tested_programs
from mtalign.grading.answers import grade, vote
from mtalign.grading.sandbox import sandbox
from mtalign.tasks.registry import load_task

KIND, TRUTH = tested_programs.kind(["f(2)", "f(3)"]), '["4", "6"]'


def right(program, kind=KIND, truth=TRUTH):
    return grade(f"<answer>{program}</answer>", truth, kind)


@pytest.fixture
def on(monkeypatch):
    monkeypatch.setenv("MTALIGN_RUN_PROGRAMS", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    tested_programs.returned.cache_clear()
    try:
        tested_programs.start()
    except RuntimeError as error:
        pytest.skip(str(error)[-100:])


def rows(tmp_path, number=6):
    lines = [
        {"text": f"Add {n}.", "test_list": [f"assert f(1) == {n + 1}", f"assert f(2) == {n + 2}"]}
        for n in range(number)
    ]
    path = tmp_path / "programs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_nothing_is_run_unless_asked_for_and_one_line_says_how(monkeypatch, tmp_path):
    monkeypatch.delenv("MTALIGN_RUN_PROGRAMS", raising=False)
    tested_programs.returned.cache_clear()
    with pytest.raises(ConfigError, match="that is off: set MTALIGN_RUN_PROGRAMS=1") as caught:
        load_task(f"mbpp:{rows(tmp_path)}")
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="MTALIGN_RUN_PROGRAMS"):
        right("def f(x): return 2 * x")


def test_a_program_is_right_that_passes_all_tests(on):
    assert right("def f(x): return 2 * x") and right("```python\nf = lambda x: x + x\n```")
    for wrong in ("def f(x): return 4", "def g(x): return 2 * x", "def f(x: return", "", "import sys; sys.exit()"):
        assert not right(wrong)


def test_programs_vote_by_what_they_return_and_failing_ones_by_text(on):
    one, other, third = (
        vote(f"<answer>{p}</answer>", KIND)
        for p in ("def f(x): return x * 2", "f = lambda x: x + x", "def f(x): return 5")
    )
    assert one == other != third
    assert right(one) and not right(third)
    assert vote("<answer>oops(</answer>", KIND) == "oops("


def test_what_is_returned_is_compared_as_a_value(on):
    kind = tested_programs.kind(["f()"])
    assert right("def f(): return {2, 1}", kind, '["{1, 2}"]') and right(
        "def f(): return {2: 1, 1: 2}", kind, '["{1: 2, 2: 1}"]'
    )
    assert not right("def f(): return [1, 2]", kind, '["(1, 2)"]')
    liar = "class A(int):\n  __eq__ = lambda s, o: True\n  __repr__ = lambda s: 'A()'\ndef f(): return A(3)"
    assert not right(liar, kind, '["1"]')


HOSTILE = {
    "fork": "import os\nos.fork()",
    "program": "import subprocess\nsubprocess.run(['true'], check=True)",
    "thread": "import threading\nthreading.Thread(target=print).start()",
    "delete": "import os\nos.remove({secret!r})",
    "read": "open({secret!r}).read()",
    "write": "open({folder!r} + '/new', 'w').write('x')",
    "list": "import os\nos.listdir({folder!r})",
    "connect": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)",
    "kill": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "queue a signal": "import ctypes, os, struct\ninfo = struct.pack('3i', 9, 0, -1) + bytes(116)\nassert ctypes.CDLL(None).syscall(129, os.getppid(), 9, info) == 0",
    "signal by a pipe": "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\nfcntl.fcntl(r, 10, 9)\nfcntl.fcntl(r, fcntl.F_SETFL, fcntl.FASYNC)\nos.write(w, b'x')",
    "date": "import os\nos.utime({secret!r}, (1, 1))",
    "label": "import os\nos.setxattr({secret!r}, 'user.a', b'b')",
    "watch": "import ctypes\nassert ctypes.CDLL(None).inotify_init() >= 0",
    "token": "import os\nos.environ['HF_TOKEN']",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
    "others": "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "root": "import os\nos.setuid(12345)",
    "memory": "x = bytearray(2 << 30)",
    "loop": "while True: pass",
    "recursion": "def g(): g()\ng()",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_reaches_nothing_and_is_wrong(on, tmp_path, name):
    (tmp_path / "secret").write_text("kept")
    written, process = (tmp_path / "secret").stat().st_mtime, sandbox("programs").process
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        places = {"secret": str(tmp_path / "secret"), "folder": str(tmp_path), "port": server.getsockname()[1]}
        began = time.monotonic()
        assert not right(HOSTILE[name].format(**places) + "\ndef f(x): return 2 * x")
        assert time.monotonic() - began < tested_programs.SECONDS + 5
        with pytest.raises(TimeoutError):
            server.accept()
    assert [p.name for p in tmp_path.iterdir()] == ["secret"] and (tmp_path / "secret").read_text() == "kept"
    assert (tmp_path / "secret").stat().st_mtime == written and process.poll() is None
    tested_programs.returned.cache_clear()
    assert right("def f(x): return 2 * x")  # and the next verdict is as before


def test_a_program_that_writes_the_verdict_itself_is_wrong(on):
    """It can write to the pipe of its process, but does not know what is right: no process that runs it does."""
    said = "import os\nfor n in range(3, 200):\n  try: os.write(n, b{!r})\n  except OSError: pass\nos._exit(0)"
    for text in ("1.0", "true", '["True", "True"]', "1.0\\n"):
        assert not right(said.format(text))
    look = "import gc\nfound = [o for o in gc.get_objects() if isinstance(o, dict) and isinstance(o.get('truth'), str)]\ndef f(x): return len(found)"
    assert tested_programs.returned(KIND, look) == ("0", "0")


def test_a_program_cannot_take_the_next_request(on):
    assert not right("import sys\nsys.stdin.read()\ndef f(x): return 3") and right("def f(x): return x + x")


def test_a_file_becomes_a_task_whose_questions_show_one_test(on, tmp_path):
    path = rows(tmp_path)
    with path.open("a") as file:
        file.write("\n" + json.dumps({"prompt": "Odd.", "tests": ["assert isclose(f(1), 2)", "assert f(1) == 2"]}))
    task = load_task(f"mbpp:{path}")
    assert len(task.train) + len(task.eval) == 6 and "left out: 1" in task.description
    example = task.eval[0]
    assert example.prompt.count("assert") == 1 and len(json.loads(example.answer)) == 2
    added = int(example.prompt.partition("Add ")[2].partition(".")[0])
    assert grade(f"<answer>def f(x): return x + {added}</answer>", example.answer, example.kind)
    assert not grade(
        f"<answer>def f(x): return {added + 1}</answer>", example.answer, example.kind
    )  # the shown test alone


@pytest.mark.parametrize(
    "row, said",
    [
        ({"text": "x"}, "row 1: test_list"),
        ({"test_list": []}, "row 1: prompt"),
        ({"text": "x", "tests": "assert"}, "row 1: test_list"),
    ],
)
def test_a_broken_row_is_an_error_of_one_line(on, tmp_path, row, said):
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(ConfigError, match=said):
        load_task(f"mbpp:{path}")
