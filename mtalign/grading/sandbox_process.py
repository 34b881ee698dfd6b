"""The process behind `sandbox`: a JSON request a line in, a score a line out, each verdict in a fork with limits.

Run as a script, by its path; imports nothing of mtalign. Answers are untrusted. math-verify parses LaTeX by a grammar.
Some verifiers of reasoning-gym pass the answer to `eval` or to sympy's `parse_expr`, which evaluates too: here `eval`
reads literals only, and expressions may hold only the words of mathematics. `programs` alone executes what a model wrote.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import errno
import json
import os
import re
import resource
import select
import signal
import struct
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

CPU_SECONDS = 1  # of processor time for a verdict
MEMORY = 4 << 30  # bytes
FULL = 1 - 1e-9  # of a verifier's marks
MAX_FORMULA = 300  # characters
# machine -> its number for audits, and the system calls (asm/unistd.h) of a confined process; all others fail. They read and
# write open files, ask whether a file is there, get memory and the time, sleep, wait for a lock, and set their own signals.
# fmt: off
ALLOWED = {
    "x86_64": (0xC000003E, [
        *range(16), 17, 19, 20, 21, 23, 24, 25, 28, 32, 35, 36, 38, 39, 60, 63, 78, 79, 89, 96, 98, 99, 100, 102, 104, 107, 108,
        110, 111, 131, 186, 201, 202, 217, 219, 228, 229, 230, 231, 257, 262, 267, 269, 270, 271, 318, 332, 439,
    ]),
    "aarch64": (0xC00000B7, [
        17, 23, 48, 56, 57, *range(61, 68), 72, 73, 78, 79, 80, 93, 94, 98, 101, 102, 103, 113, 114, 115, 124, 128, 132, 134, 135,
        139, 153, 160, 165, 169, *range(172, 180), 214, 215, 216, 222, 226, 233, 278, 291, 439,
    ]),
}
# fmt: on
PROGRAM_MEMORY = 512 << 20  # bytes
MAX_SAID = 20_000  # characters of what all calls of a program return
NEEDED = {"writing", "files", "processes", "network", "signals"}  # what is taken, or no program is executed
EVALUATED = {  # datasets whose verifier passes the answer to sympy
    "countdown", "puzzle24", "polynomial_multiplication", "simple_integration", "intermediate_integration",
}  # fmt: skip
WORDS = {
    "C", "E", "pi", "exp", "log", "ln", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
}  # fmt: skip
LITERALS = ("string_insertion", "spiral_matrix", "binary_matrix")  # modules of `algorithmic` that call eval on answers


def is_formula(answer: str) -> bool:
    """Whether the text is arithmetic: numbers, operators, brackets, single letters and names of functions.

    >>> is_formula("2*x + sin(3.5)**2"), is_formula("__import__('os')"), is_formula("(1).real"), is_formula("9**9**9")
    (True, False, False, False)
    """
    words = re.findall(r"[^\W\d]\w*", answer)
    return (
        len(answer) <= MAX_FORMULA
        and re.fullmatch(r"[\w\s+\-*/^().,=]*", answer) is not None
        and "_" not in answer
        and not re.search(r"\.\s*[^\W\d]|\*\*\s*\(?\s*[\d.]{3,}|\*\*[^+]*\*\*", answer)
        and all(word in WORDS or len(word) == 1 for word in words)
    )


def math() -> Callable[[dict], Callable[[], float]]:
    """Whether `found` and `truth` are equal LaTeX, by math-verify, whose own time limits are off."""
    import logging

    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)  # it warns that its limits are off
    latex = [LatexExtractionConfig()]

    def equal(found: str, truth: str) -> float:
        wanted, given = (parse(f"${text}$", latex, parsing_timeout=None) for text in (truth, found))
        return float(bool(wanted and given and verify(wanted, given, timeout_seconds=None)))

    for one, other in [  # loads what is loaded at first use
        (r"\frac{1}{2} x + \sqrt{3}", r"(x-1)(x+1)"), ("(1,2]", r"(-\infty,2)\cup(3,4)"), (r"\sin(x)", r"\{1,2\}"),
        ("x=5", "5"), (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
    ]:  # fmt: skip
        with contextlib.suppress(Exception):
            equal(one, other)
    return lambda request: partial(equal, request["found"], request["truth"])


def reasoning_gym() -> Callable[[dict], Callable[[], float]]:
    """What the verifier of a dataset says about the `answer` to the question at `index`."""
    import reasoning_gym
    from reasoning_gym import algorithmic
    from reasoning_gym.games import n_queens

    for module in (*(getattr(algorithmic, name) for name in LITERALS), n_queens):
        module.eval = ast.literal_eval
    datasets: dict[str, object] = {}

    def prepare(request: dict) -> Callable[[], float]:
        key = json.dumps([request["dataset"], request["settings"]])
        if key not in datasets:
            datasets[key] = reasoning_gym.create_dataset(request["dataset"], **request["settings"])
        answer, *probes = request["answers"]
        entry = datasets[key][request["index"]]
        if str(entry["answer"]).strip() != request["truth"]:  # of another version of reasoning-gym
            return lambda: 0.0
        if request["dataset"] in EVALUATED and not is_formula(answer):
            return lambda: 0.0
        return partial(_checked, datasets[key].score_answer, entry, answer, probes)

    return prepare


def _checked(score: Callable, entry: dict, answer: str, probes: list[str]) -> float:
    """The score of the answer; 2 where it is full marks and that of a probe, which denies the answer, is too."""
    given = float(score(answer, entry))
    if given < FULL:
        return given
    for probe in probes:
        with contextlib.suppress(Exception):  # a verifier that cannot read the probe has read all of it
            if float(score(probe, entry)) >= FULL:
                return 2.0
    return given


def programs() -> Callable[[dict], Callable[[], list[str]]]:
    """What the `calls` return after the `program` was executed, as text, in a process that has the calls alone.

    Raises:
        OSError: this platform has no means to confine a program.
    """
    if _said(list, 10, 100, programs=True) != b"[]":
        raise OSError("programs are not executed on this platform, which cannot take files and network from a process")

    def prepare(request: dict) -> Callable[[], list[str]]:
        return partial(_executed, request["program"], request["calls"])

    return prepare


def _executed(program: str, calls: list[str]) -> list[str]:
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(program, "program", "exec", dont_inherit=True), names)
    return [repr(eval(call, names)) for call in calls]


def confine(programs: bool = False) -> list[str]:
    """Takes from this process what a verdict does not need, for good; says what: the rest the platform has no means for.

    Linux from 5.13 on: Landlock leaves of the file system Python's own library, to read, and seccomp the system calls that
    compute: none that makes a process or socket, reaches another process, or changes what is said of a file. Whether a
    file is there, and its size, can be asked. Elsewhere limits of resources hold: no file can be written, no core is
    left, and no process is made unless by root; files can be read and sockets opened there.

    Args:
        programs: whether a program is executed then: it has less memory, and as root no right but to read.
    """
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, PROGRAM_MEMORY if programs else MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(limit, (most, most))
    libc = ctypes.CDLL(None, use_errno=True)
    taken = ["writing"]
    if programs and sys.platform.startswith("linux"):
        header, kept = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[1 << 2] * 2, *[0] * 4)
        if libc.capset(header, kept) and os.geteuid() == 0:  # capabilities(7): all but CAP_DAC_READ_SEARCH are given up
            return taken
    if not sys.platform.startswith("linux") or libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        return taken
    taken += ["files"] if _landlock(libc) else []
    taken += ["processes", "network", "signals"] if _seccomp(libc) else []
    return taken


def _landlock(libc: ctypes.CDLL) -> bool:
    """Whether only Python's library can be read from here on (landlock(7); system calls 444 to 446)."""
    version = libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    rights = {1: 13, 2: 14}.get(version, 15) + (version >= 5)  # numbers of rights that this kernel knows
    handled = ctypes.c_uint64((1 << rights) - 1)
    rules = libc.syscall(444, ctypes.byref(handled), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if rules < 0:
        return False
    for folder in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}:
        with contextlib.suppress(OSError):
            opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", (1 << 2) | (1 << 3), opened))  # read files, folders
            libc.syscall(445, ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint32(0))
            os.close(opened)
    done = libc.syscall(446, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0
    os.close(rules)
    return done


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Whether all system calls but those of `ALLOWED` fail from here on (seccomp(2)): a program for the kernel's filter."""
    if os.uname().machine not in ALLOWED or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    architecture, calls = ALLOWED[os.uname().machine]
    last = len(calls) + 4  # the instruction that allows; the one before it refuses
    program = [(0x20, 0, 0, 4), (0x15, 0, last - 3, architecture), (0x20, 0, 0, 0)]
    program += [(0x15, last - at - 1, 0, call) for at, call in enumerate(calls, start=3)]
    program += [(0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    return libc.prctl(22, 2, filter_, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def limited(verdict: Callable[[], float], seconds: float) -> float | None:
    """The verdict, computed in a confined fork; 0 where it raises or exceeds its own limits, None where the time is up."""
    said = _said(verdict, seconds, 100)
    return None if said is None else float(said or 0.0)


def _said(verdict: Callable, seconds: float, most: int, programs: bool = False) -> bytes | None:
    """What a confined fork says the verdict is, as JSON of at most `most` bytes; nothing where it raises or exceeds its
    own limits, None where the time is up."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setpgid(0, 0)
            if programs:
                os.dup2(1, 0)  # not the requests
                os.closerange(3, writer)
                os.closerange(writer + 1, 1024)
            taken = confine(programs) if programs else confine()
            if not programs or set(taken) >= NEEDED:
                os.write(writer, json.dumps(verdict()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    until, said = time.monotonic() + seconds, b""
    try:
        while len(said) <= most:
            ready, _, _ = select.select([reader], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            if not (part := os.read(reader, most + 1)):
                return said
            said += part
            if not programs:
                return said
        return b""
    finally:
        os.close(reader)
        _end(child)


def _end(child: int) -> None:
    """Ends the fork, its group, and what has left the group: such a process becomes a child of this one (`main`)."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        for left in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            os.kill(int(left), signal.SIGKILL)
            os.waitpid(int(left), 0)


def main(name: str) -> None:
    """Answers requests until the end of the input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: gets what a fork leaves behind, to end it
    prepare = {"math": math, "reasoning-gym": reasoning_gym, "programs": programs}[name]()
    print("ready", file=answers, flush=True)
    os.dup2(1, 2)
    for line in sys.stdin:
        began, score = time.monotonic(), 0.0
        request = json.loads(line)
        with contextlib.suppress(Exception):  # of a verifier, on an answer that it did not foresee
            if name == "programs":
                said = _said(prepare(request), request["seconds"], MAX_SAID, programs=True)
                score = said.decode() if said else None  # the program may have written it: for the other end to judge
            else:
                score = limited(prepare(request), request["seconds"] - (time.monotonic() - began))
        print(json.dumps(score), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
