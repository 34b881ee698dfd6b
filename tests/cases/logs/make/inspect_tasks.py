"""Tasks for inspect_ai, one for each way that a log can look. The model is inspect_ai's own `mockllm`, told what to say."""

import sys
from itertools import cycle, islice
from pathlib import Path
from zipfile import ZipFile

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Target, accuracy, choice, includes, match, mean, model_graded_qa, scorer, stderr
from inspect_ai.solver import TaskState, generate, multiple_choice, solver

SUMS = {"What is 6 times 7?": "42", "What is 9 plus 8?": "17", "What is 12 minus 7?": "5", "What is 3 times 4?": "12"}
QUESTIONS = [Sample(id=f"q{i}", input=question, target=answer) for i, (question, answer) in enumerate(SUMS.items(), 1)]


def says(*texts: str):
    """A model that gives these texts in turn."""
    outputs = [ModelOutput.from_content("mockllm/model", text) for text in islice(cycle(texts), 16)]
    for (
        output
    ) in outputs:  # where a model does not say how many tokens it took, inspect_ai asks the network for a tokenizer
        output.usage = ModelUsage(input_tokens=8, output_tokens=4, total_tokens=12)
    return get_model("mockllm/model", custom_outputs=outputs, memoize=False)


@task
def sums_match() -> Task:
    """`match`, four epochs: the answer stands at the end of a sentence."""
    texts = ("The answer is 42", "It is 17", "The answer is 5", "I do not know", "So it is 42")
    return Task(QUESTIONS, solver=generate(), scorer=match(), epochs=4, model=says(*texts), name="sums_match")


@task
def letters_choice() -> Task:
    """`choice`: four options, a letter for an answer."""
    options = ["a mouse", "an elephant", "a cat", "a dog"]
    samples = [
        Sample(id="largest", input="Which is the largest?", choices=options, target="B"),
        Sample(id="smallest", input="Which is the smallest?", choices=options, target="A"),
        Sample(id="barks", input="Which of them barks?", choices=options, target="D"),
        Sample(id="purrs", input="Which of them purrs?", choices=options, target="C"),
    ]
    return Task(
        samples,
        solver=multiple_choice(),
        scorer=choice(),
        model=says("ANSWER: B", "ANSWER: A", "ANSWER: C"),
        name="letters_choice",
    )


@task
def graded_by_a_model() -> Task:
    """`model_graded_qa` with partial credit: C, P and I."""
    grader = says("It agrees.\nGRADE: C", "Half of it.\nGRADE: P", "No.\nGRADE: I")
    return Task(
        QUESTIONS,
        solver=generate(),
        scorer=model_graded_qa(partial_credit=True, model=grader),
        model=says("42", "seven"),
        name="graded_by_a_model",
    )


@task
def two_scorers() -> Task:
    """Two scorers that disagree: `match` wants the answer at the end, `includes` anywhere."""
    texts = ("42 it is, I think", "The answer is 17", "5 or 6, I cannot say")
    return Task(
        QUESTIONS, solver=generate(), scorer=[match(), includes()], epochs=2, model=says(*texts), name="two_scorers"
    )


@scorer(metrics=[accuracy(), stderr()])
def sometimes():
    """Scores what holds a digit; what does not has no score at all."""

    async def score(state: TaskState, target: Target) -> Score | None:
        text = state.output.completion
        found = "".join(c for c in text if c.isdigit())
        return Score(value="C" if found == target.text else "I", answer=found) if found else None

    return score


@task
def unscored() -> Task:
    """A scorer that gives some samples no score."""
    return Task(
        QUESTIONS,
        solver=generate(),
        scorer=sometimes(),
        epochs=2,
        model=says("42", "no idea", "17", "5"),
        name="unscored",
    )


@solver
def breaking(question: str):
    """A solver that breaks at one question."""

    async def solve(state: TaskState, generate):
        if state.input_text == question:
            raise RuntimeError("the tool broke")
        return await generate(state)

    return solve


@task
def one_sample_fails() -> Task:
    """One sample ends in an error, and the log is a success: `fail_on_error=False`."""
    solvers = [breaking("What is 12 minus 7?")]
    return Task(
        QUESTIONS,
        solver=solvers,
        scorer=match(),
        fail_on_error=False,
        model=says("42", "17", "8"),
        name="one_sample_fails",
    )


@task
def fails() -> Task:
    """A sample ends in an error, and so does the log: `status: error`."""
    return Task(
        QUESTIONS, solver=[breaking("What is 3 times 4?")], scorer=match(), model=says("42", "17", "5"), name="fails"
    )


@task
def empty_targets() -> Task:
    """Questions without a target, to which no answer can be right."""
    samples = [Sample(id=f"open{i}", input=text) for i, text in enumerate(("Write a poem.", "Tell a joke."), 1)]
    samples.append(Sample(id="sum", input="What is 6 times 7?", target="42"))
    return Task(samples, solver=generate(), scorer=match(), model=says("A poem", "A joke", "42"), name="empty_targets")


@scorer(metrics={"*": [mean()]})
def aspects():
    """A score of several values."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        return Score(value={"right": int(target.text in text), "short": int(len(text) < 5)}, answer=text)

    return score


@task
def several_values() -> Task:
    """A scorer whose value is a dictionary."""
    return Task(
        QUESTIONS, solver=generate(), scorer=aspects(), model=says("42", "I say 17", "5", "no"), name="several_values"
    )


def without_paths(log: Path) -> None:
    """Takes the folders of this machine out of the tracebacks in a log, and leaves all else as it was written."""
    import zipfile_zstd  # noqa: F401 (inspect_ai's own dependency: teaches zipfile the compression of its logs)

    def clean(content: bytes) -> bytes:
        for folder, name in ((Path.cwd(), b"here"), (sys.prefix, b"python"), (sys.base_prefix, b"python")):
            content = content.replace(str(folder).encode(), name)
        return content

    if log.suffix == ".json":
        log.write_bytes(clean(log.read_bytes()))
        return
    with ZipFile(log) as archive:
        members = [(info, clean(archive.read(info))) for info in archive.infolist()]
    with ZipFile(log, "w") as archive:
        for info, content in members:
            archive.writestr(info.filename, content, compress_type=info.compress_type)


def main() -> None:
    """Writes a log of each task in the format `.eval`, and of one in `.json` too."""
    from inspect_ai import eval as run

    settings = {"display": "none", "max_samples": 1, "max_connections": 1}
    tasks = (
        sums_match,
        letters_choice,
        graded_by_a_model,
        two_scorers,
        unscored,
        one_sample_fails,
        fails,
        empty_targets,
    )
    for each in (*tasks, several_values):
        run(each(), log_format="eval", log_dir="inspect", **settings)
    run(sums_match(), log_format="json", log_dir="inspect", limit=2, epochs=1, **settings)
    for log in Path("inspect").iterdir():
        without_paths(log)
        log.rename(log.with_name(log.name.split("_")[1].replace("-", "_") + log.suffix))


if __name__ == "__main__":
    main()
