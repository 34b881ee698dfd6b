"""What a task is: prompts with known answers, a chance level, and disjoint splits."""

from __future__ import annotations

from dataclasses import dataclass, field

TRAIN_PROMPTS, EVAL_PROMPTS = 256, 200
SPLIT_SEED = 20260101  # fixes which prompts are held out; never changed by a run's seed


@dataclass(frozen=True)
class Example:
    """One question: `prompt` and `answer` as text, and the `work` that leads to the answer (micro tasks only).

    `kind` is set where this one question is graded otherwise than its task, by a verifier of its own.
    """

    prompt: str
    answer: str
    work: str = ""
    kind: str = field(default="", repr=False)


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
        base_rate: the chance level, where it is not one in `answers`.
        chance_is: "given" by the number of choices, or "estimated" from the answers (`estimated_chance`).
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

    @property
    def chance(self) -> float:
        """Accuracy in [0, 1] of the best single answer that ignores the question, on evenly distributed answers."""
        return 1 / len(self.answers) if self.base_rate is None else self.base_rate
