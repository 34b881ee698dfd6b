"""What a task is: prompts with known answers, a chance level, and disjoint splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum

TRAIN_PROMPTS, EVAL_PROMPTS = 256, 200
SPLIT_SEED = 20260101  # fixes which prompts are held out; never changed by a run's seed


@dataclass(frozen=True)
class Example:
    """One question: `prompt` and `answer` as text, and the `work` that leads to the answer (micro tasks only).

    `kind` is set where this one question is graded otherwise than its task, by a verifier of its own; `options` where
    possible answers stand in the prompt; `chance` where it is another than the task's.
    """

    prompt: str
    answer: str
    work: str = ""
    kind: str = field(default="", repr=False)
    options: tuple[str, ...] = field(default=(), repr=False)
    chance: float | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Task:
    """A named set of questions.

    Attributes:
        name: what grid files call it.
        description: one line for people.
        train, eval: disjoint lists of examples; `train` is empty for a benchmark too small to train on.
        answers: the possible answers, as text; guesses are drawn from it; empty for free-form answers.
        kind: how a completion is graded, a key of `grading.GRADERS`, or a kind of `grading.reasoning_gym`.
        instruction: what a model that was not pretrained here is told after the question (`prompts.render`).
        base_rate: accuracy of a guess that ignores the question, where it is not one in `answers`.
        blind_rate: accuracy of the best other way of not solving the questions that was tried: to name something that the
            prompt shows (`options.naming_rate`), or always the most frequent choice.
        chance_is: "given" by the number of choices, or "estimated" from the answers (`rows.estimated_chance`).
    """

    name: str
    description: str
    train: tuple[Example, ...]
    eval: tuple[Example, ...]
    answers: tuple[str, ...]
    kind: str = "exact"
    instruction: str = ""
    base_rate: float | None = None
    chance_is: str = "given"
    blind_rate: float = 0.0

    @property
    def single_answer(self) -> float:
        """Accuracy in [0, 1] of a guess that ignores the question: what records have kept as `chance`."""
        return 1 / len(self.answers) if self.base_rate is None else self.base_rate

    @property
    def chance(self) -> float:
        """Accuracy in [0, 1] of a reader who cannot solve the questions: the mean of `chance_of` what is held out."""
        return fsum(map(self.chance_of, self.eval)) / len(self.eval)

    def chance_of(self, example: Example) -> float:
        """Accuracy in [0, 1] of guessing the answer to one question, from its options where they stand in the prompt.

        >>> Task("t", "", (), (Example("a or b?", "a", options=("a", "b")),), answers=("a", "b", "c", "d")).chance
        0.5
        """
        if example.chance is not None:
            return example.chance
        return max(1 / len(example.options) if example.options else self.single_answer, self.blind_rate)
