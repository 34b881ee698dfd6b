"""Python programs graded by published tests, for pretrained models: each is run, in a sandbox, and only where asked for.

The text of a model is executed here, and nowhere else in this package. So

1. nothing is run without `MTALIGN_RUN_PROGRAMS=1`, nor on a platform where the sandbox cannot take files, processes,
   network and signals from it (`sandbox_process.confine`);
2. a test is a pair: a call, `f(3)`, and the value that it should have. The process that runs the program is given the calls alone
   and gives back what they returned, as literals; another process compares. So a program that reads its process's memory, ends it, or
   writes to its pipes can say a value, and no value is right but the right one;
3. calls of one question share a second of processor time and half a GiB.

*Two programs are the same answer where all calls of the question return the same*: so they vote. A vote is written as a program
again, a table of what was returned (`table`), which is graded like any other; programs that fail vote by their text.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Sequence
from functools import lru_cache

from mtalign.grading.sandbox import sandbox

SWITCH = "MTALIGN_RUN_PROGRAMS"
PREFIX = "tests:"  # of the kind of such a question; the calls follow, as JSON
SECONDS = 10.0  # of wall-clock for the calls of a question; of processor time they have 1 s
MAX_PROGRAM = 20_000  # characters; a longer program is wrong
FENCE = re.compile(r"```(?:python|py)?[^\S\n]*\n(.*?)```", re.DOTALL)


def allowed() -> bool:
    """Whether the person at the keyboard said that programs of models may be run."""
    return os.environ.get(SWITCH) == "1"


def kind(calls: Sequence[str]) -> str:
    """The kind of a question, which holds what is called, and not what should come out.

    >>> kind(["f(1)", "f(2)"])
    'tests:["f(1)", "f(2)"]'
    """
    return PREFIX + json.dumps(list(calls))


def split(test: str) -> tuple[str, str] | None:
    """A test `assert f(2) == 4` -> the call and the value, both as Python's own text; None where it has another form.

    The call is of a function by its name, with literals; the value is a literal.

    >>> split("assert f(2, [1]) == (4,)"), split("assert isclose(f(2), 4)"), split("assert f(g(2)) == 4")
    (('f(2, [1])', '(4,)'), None, None)
    """
    try:
        [found] = ast.parse(test.strip()).body
        call, value = found.test.left, found.test.comparators[0]
        literals = [ast.literal_eval(a) for a in (*call.args, *(k.value for k in call.keywords), value)]
        simple = isinstance(found, ast.Assert) and isinstance(found.test.ops[0], ast.Eq) and len(found.test.ops) == 1
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError, MemoryError):
        return None
    if (
        not simple
        or not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Name)
        or literals[-1] != literals[-1]
    ):
        return None
    return ast.unparse(call), ast.unparse(value)


def program_of(text: str) -> str:
    """The program of an answer: what stands in its last code fence, or all of it.

    >>> program_of("```python\\nx = 1\\n```")
    'x = 1\\n'
    """
    fenced = FENCE.findall(text)
    return fenced[-1] if fenced else text


def passes(kind: str, answer: str, truth: str) -> bool:
    """Whether the program in `answer` gives for every call of the kind the value in `truth`, a JSON list of literals."""
    found = returned(kind, program_of(answer))
    return found is not None and [ast.literal_eval(v) for v in json.loads(truth)] == [
        ast.literal_eval(v) for v in found
    ]


def normal(kind: str, answer: str) -> str:
    """One program for all that return the same: a table of it; the program itself where it fails."""
    program = program_of(answer)
    found = returned(kind, program)
    return program.strip() if found is None else table(json.loads(kind.removeprefix(PREFIX)), found)


def table(calls: Sequence[str], values: Sequence[str]) -> str:
    """The program that gives these values for these calls, and knows no others.

    >>> print(table(["f(1)", "f(2)"], ["2", "4"]))
    def f(*a, **k): return {"((1,), {})": 2, "((2,), {})": 4}[repr((a, k))]
    """
    by_name: dict[str, dict[str, str]] = {}
    for text, value in zip(calls, values, strict=True):
        call = ast.parse(text, mode="eval").body
        given = tuple(map(ast.literal_eval, call.args)), {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        by_name.setdefault(call.func.id, {})[repr(given)] = value
    lines = []
    for name, known in by_name.items():
        entries = ", ".join(f"{json.dumps(given)}: {value}" for given, value in known.items())
        lines.append(f"def {name}(*a, **k): return {{{entries}}}[repr((a, k))]")
    return "\n".join(lines)


def start() -> None:
    """Starts the sandbox; raises `RuntimeError` where this platform cannot confine a program."""
    returned(kind(["f()"]), "def f(): return 0")


@lru_cache(maxsize=4096)
def returned(kind: str, program: str) -> tuple[str, ...] | None:
    """What the calls of a kind return with a program, as literals; None where one fails, or returns no literal.

    Raises:
        RuntimeError: programs are not to be run, or cannot be here.
    """
    if not allowed():
        raise RuntimeError(
            f"programs of a model are to be run, which is off: set {SWITCH}=1 to allow it (docs/trust.md)"
        )
    if len(program) > MAX_PROGRAM:
        return None
    calls = json.loads(kind.removeprefix(PREFIX))
    return literals(sandbox("programs").ask({"program": program, "calls": calls}, SECONDS), len(calls))


def literals(said: str | None, number: int) -> tuple[str, ...] | None:
    """What a program said, as literals of one form each; None where it is not `number` of them. Executes nothing.

    >>> literals('["{2, 1}"]', 1), literals('["f()"]', 1), literals('["1"]', 2), literals("1.0", 1), literals(None, 1)
    (('{1, 2}',), None, None, None, None)
    """
    try:
        texts = json.loads(said or "0")
        if not isinstance(texts, list) or len(texts) != number or not all(isinstance(text, str) for text in texts):
            return None
        return tuple(_one_form(ast.literal_eval(text)) for text in texts)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _one_form(value: object) -> str:
    if isinstance(value, set) and value:
        return f"{{{', '.join(sorted(map(_one_form, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{_one_form(k)}: {_one_form(v)}' for k, v in value.items()))}}}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_one_form, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value)
