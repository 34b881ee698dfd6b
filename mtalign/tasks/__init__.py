"""A name -> prompts with known answers, a chance level and disjoint splits."""

from mtalign.tasks.base import EVAL_PROMPTS, SPLIT_SEED, TRAIN_PROMPTS, Example, Task
from mtalign.tasks.benchmarks import REAL
from mtalign.tasks.micro import MICRO, pretraining_examples
from mtalign.tasks.registry import FAMILIES, load_task
from mtalign.tasks.rows import example_of
from mtalign.tasks.sources import read_rows

__all__ = [
    "EVAL_PROMPTS", "FAMILIES", "MICRO", "REAL", "SPLIT_SEED", "TRAIN_PROMPTS", "Example", "Task", "example_of",
    "load_task", "pretraining_examples", "read_rows",
]  # fmt: skip
