"""The registry of tasks: a name in a grid file or a notebook -> a `Task`. To add a family of tasks, add a row to `FAMILIES`.

Two families are made of other tasks and so live here. A *joined* task trains on one and evaluates on others,
`deepscaler>math500+amc23`. A *group* is a benchmark of several parts, each graded in its own way: `bbh`, `korbench`.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from mtalign.config import plugins
from mtalign.grading.answers import GRADERS
from mtalign.tasks import benchmarks, calculation, files, micro, reasoning_gym, tested_programs
from mtalign.tasks.base import EVAL_PROMPTS, SPLIT_SEED, Example, Task
from mtalign.tasks.benchmarks import BBH, KORBENCH
from mtalign.tasks.rows import INSTRUCTION

GROUPS = {  # name -> description, parts
    "bbh": ("BIG-Bench Hard, ten of its 27 tasks", [f"bbh-{task}" for task in BBH]),
    "korbench": ("KOR-Bench, all five categories", [f"korbench-{category}" for category in KORBENCH]),
}


def load_joined(name: str) -> Task:
    """The training prompts of the first task with the held-out prompts of all others, in their order.

    Raises:
        KeyError: a part is unknown, or a prompt is both trained on and evaluated.
        ConfigError: the data of a part cannot be had, or are broken.

    >>> task = load_joined("arithmetic>ordering+logic")
    >>> task.train[0].prompt[:11], task.eval[0].prompt[:8], task.eval[-1].prompt[:5], len(task.eval)
    ('arithmetic:', 'ordering', 'logic', 400)
    """
    return _load_joined(name, os.environ.get("MTALIGN_DATA", ""))


@lru_cache
def _load_joined(name: str, root: str) -> Task:
    first, _, rest = name.partition(">")
    trained, *tested = (load_task(part) for part in (first, *rest.split("+")))
    held_out = tuple(example for task in tested for example in graded(task, task.eval))
    if both := {e.prompt for e in trained.train} & {e.prompt for e in held_out}:
        raise KeyError(f"task {name}: {len(both)} prompts are both trained on and evaluated, e.g. {min(both)[:60]!r}")
    chance, chance_is = _chance(tested, [len(task.eval) for task in tested])
    description = f"trained on {first}, evaluated on {rest.replace('+', ', ')}; {first}: {trained.description}"
    return dataclasses.replace(
        trained, name=name, description=description, eval=held_out, base_rate=chance, chance_is=chance_is
    )


def load_group(name: str) -> Task:
    """A benchmark of several parts: as many held-out prompts of each, in turn, and the rest of all, shuffled, to train on.

    Raises:
        ConfigError: the data of a part cannot be had, or are broken.
    """
    return _load_group(name, os.environ.get("MTALIGN_DATA", ""))


@lru_cache
def _load_group(name: str, root: str) -> Task:
    description, parts = GROUPS[name]
    tasks = [load_task(part) for part in parts]
    size = EVAL_PROMPTS // len(tasks)
    train = [example for task in tasks for example in graded(task, task.train)]
    random.Random(f"{SPLIT_SEED} {name}").shuffle(train)
    in_turn = zip(*(graded(task, task.eval[:size]) for task in tasks), strict=True)
    chance, chance_is = _chance(tasks, [1] * len(tasks))
    return Task(
        name, f"{description}; {size} questions of each are evaluated", tuple(train),
        tuple(example for row in in_turn for example in row), (), "exact", INSTRUCTION, chance, chance_is,
    )  # fmt: skip


def graded(task: Task, examples: Sequence[Example]) -> list[Example]:
    """The task's examples, each with the kind that says how it is graded, and the chance of guessing it."""
    return [dataclasses.replace(e, kind=e.kind or task.kind, chance=task.chance_of(e)) for e in examples]


def _chance(tasks: Sequence[Task], weights: Sequence[int]) -> tuple[float, str]:
    """The chance level of several tasks together; "given" where each is."""
    chance = sum(task.single_answer * weight for task, weight in zip(tasks, weights, strict=True)) / sum(weights)
    return chance, "given" if all(task.chance_is == "given" for task in tasks) else "estimated"


def load_task(name: str) -> Task:
    """The task called `name`, the same on every machine and for every seed.

    Args:
        name: as one of the `FAMILIES` has it; `mtalign list tasks` prints them all.

    Raises:
        KeyError: there is no such task.
        ConfigError: its data cannot be had, or are broken.

    >>> task = load_task("ordering")
    >>> task.eval[0]
    Example(prompt='ordering: 1693 after 8=', answer='9', work='9')
    >>> {e.prompt for e in task.train} & {e.prompt for e in task.eval}
    set()
    """
    for family in FAMILIES:
        if family.holds(name):
            return family.load(name)
    near = get_close_matches(name, (*micro.MICRO, *benchmarks.REAL, *GROUPS), 3, 0.5)
    raise KeyError(
        f"unknown task {name!r}{'; nearest: ' if near else ''}{', '.join(near)}; all are in `mtalign list tasks`; your own: a"
        " path that ends in .jsonl, .csv or .parquet, or module:function"
    )


@lru_cache
def own_task(name: str) -> Task:
    """The task that `module:function` gives, checked.

    Raises:
        KeyError: the function gives no task, or one whose splits are empty or share a prompt, or of an unknown kind.
    """
    task = plugins.call(name)
    if not isinstance(task, Task):
        raise KeyError(f"{name}: gives {type(task).__name__} and not a Task")
    if not task.train or not task.eval or not (task.answers or task.base_rate is not None):
        raise KeyError(f"{name}: train, eval or answers is empty")
    if shared := {e.prompt for e in task.train} & {e.prompt for e in task.eval}:
        raise KeyError(f"{name}: {len(shared)} prompts are both in train and in eval")
    if task.kind not in GRADERS:
        raise KeyError(f"{name}: unknown kind {task.kind!r}; known: {', '.join(GRADERS)}")
    return task


@dataclass(frozen=True)
class Family:
    """Tasks that are named alike."""

    holds: Callable[[str], bool]  # whether a name belongs to this family; the first family that says so loads it
    load: Callable[[str], Task]
    words: Callable[[], list[str]]  # lines for `mtalign list tasks`


def _micro_words() -> list[str]:
    tasks = map(micro.load, micro.MICRO)
    return [f"{t.name:12} chance {t.chance:.2f}  {t.description}; e.g. {t.eval[0].prompt}" for t in tasks]


def _benchmark_words() -> list[str]:
    return [f"{name:22} {source.description} [{source.hub['path']}]" for name, source in benchmarks.REAL.items()]


def _group_words() -> list[str]:
    hubs = {name: benchmarks.REAL[parts[0]].hub["path"] for name, (_, parts) in GROUPS.items()}
    return [f"{name:22} {description} [{hubs[name]}]" for name, (description, _) in GROUPS.items()]


FAMILIES = (
    Family(micro.MICRO.__contains__, micro.load, _micro_words),
    Family(benchmarks.REAL.__contains__, benchmarks.load, _benchmark_words),
    Family(GROUPS.__contains__, load_group, _group_words),
    Family(
        lambda name: ">" in name,
        load_joined,
        lambda: ["<task>><task>+<task>   trained on the first, evaluated on the others, e.g. deepscaler>math500+amc23"],
    ),
    Family(
        lambda name: calculation.NAME.fullmatch(name) is not None,
        calculation.load,
        lambda: ["calculation-<steps>    random arithmetic of 1 to 20 steps, freshly generated, e.g. calculation-3"],
    ),
    Family(
        lambda name: name.startswith("rg:"),
        reasoning_gym.load,
        lambda: ["rg:<dataset>?size=..   generated by reasoning-gym, e.g. rg:basic_arithmetic?max_digits=2&size=400"],
    ),
    Family(
        tested_programs.is_tested,
        tested_programs.load,
        lambda: [
            "mbpp                   Python programs with published tests, run in a sandbox: off without MTALIGN_RUN_PROGRAMS=1",
            "mbpp:<path>.jsonl      your own, with `prompt` and `test_list` on each line",
        ],
    ),
    Family(
        files.is_file,
        files.load,
        lambda: [
            "<path>.jsonl?kind=..   your own questions, with `prompt` and `answer` on each line; kind exact, choice, math",
            "<path>.csv?prompt=..&answer=..   the same, with a header; also .parquet; columns named where they are not usual",
            "hub:<org>/<name>?split=..   the same, of a data set of the Hugging Face Hub",
        ],
    ),
    Family(plugins.is_plugin, own_task, lambda: ["<module>:<function>    your own, see `mtalign.config.plugins`"]),
)
