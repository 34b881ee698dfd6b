"""The process behind `sandbox`: a JSON request a line in, a score a line out, each verdict in a fork with limits.

Run as a script, by its path; imports nothing of mtalign. Answers are untrusted. math-verify parses LaTeX by a grammar.
Some verifiers of reasoning-gym pass the answer to `eval` or to sympy's `parse_expr`, which evaluates too: here `eval`
reads literals only, and expressions may hold only the words of mathematics.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial

CPU_SECONDS = 1  # of processor time for a verdict
MEMORY = 4 << 30  # bytes
MAX_FORMULA = 300  # characters
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
        if request["dataset"] in EVALUATED and not is_formula(request["answer"]):
            return lambda: 0.0
        return partial(datasets[key].score_answer, request["answer"], datasets[key][request["index"]])

    return prepare


def limited(verdict: Callable[[], float], seconds: float) -> float | None:
    """The verdict, computed in a fork; 0 where it raises or exceeds its own limits, None where the time is up."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can be written
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.write(writer, json.dumps(float(verdict())).encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], seconds)
        if not ready:
            return None
        return float(os.read(reader, 100) or 0.0)  # nothing where the verdict raised, or its limit was exceeded
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main(name: str) -> None:
    """Answers requests until the end of the input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    prepare = {"math": math, "reasoning-gym": reasoning_gym}[name]()
    print("ready", file=answers, flush=True)
    os.dup2(1, 2)
    for line in sys.stdin:
        began, score = time.monotonic(), 0.0
        request = json.loads(line)
        with contextlib.suppress(Exception):  # of a verifier, on an answer that it did not foresee
            score = limited(prepare(request), request["seconds"] - (time.monotonic() - began))
        print(json.dumps(score), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
