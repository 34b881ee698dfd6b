"""A task's example is what a model wrote: a right and a wrong completion, of one prompt where there are such."""

from mtalign.notebook.examples import NONE, examples


def record(*samples, task="logic"):
    kept = [{"prompt": p, "answer": "1", "completion": f"<think>x</think><answer>{a}</answer>"} for p, a in samples]
    return {"config": {"task": task}, "after": {"samples": kept}}


def test_both_completions_are_of_one_prompt():
    (found,) = examples([record(("p", 2), ("q", 3), ("q", 1))])
    assert found["prompt"] == "q" and "<answer>1<" in found["right"] and "<answer>3<" in found["wrong"]


def test_what_no_completion_shows_is_said():
    assert examples([record(("p", 2))])[0]["right"] == NONE["right"]
    assert examples([record(("p", 1))])[0]["wrong"] == NONE["wrong"]
    assert examples([record()]) == []
