"""Prompts: a task's question -> the text that a model is given, and the completion that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from mtalign.config.arms import Style
from mtalign.grading.answers import CLOSE, OPEN
from mtalign.models.warm_up import question
from mtalign.tasks.rows import DEMONSTRATIONS, INSTRUCTION


def render(
    tokenizer,
    prompt: str,
    instruction: str = "",
    style: Style = "think",
    shown: Sequence[tuple[str, str]] = DEMONSTRATIONS,
) -> str:
    """The text that the model is given for a task's prompt.

    In the style `think` the prompt is followed by the instruction to reason first. In the style `direct` it follows
    the questions and answers of `shown` (`tasks.rows.demonstrations`), and the answer is begun: what a small model can do
    that would not keep to a format. Both are messages where the model has a chat template. A micro task has no instruction, and a model
    without chat template gets its prompt as it is. In the style `bare` there is the prompt and the begun answer, no more:
    what a model was taught by a warm-up (`models.warm_up`).

    >>> render(None, "2 + 2 = ?", style="bare")
    '2 + 2 = ?\\n<answer>'
    """
    if style == "bare":
        return question(prompt)
    if not tokenizer.chat_template:
        if not instruction or style == "think":
            return f"{prompt}\n\n{instruction}\n" if instruction else prompt
        before = "".join(f"Question: {q}\nAnswer: {OPEN}{a}{CLOSE}\n\n" for q, a in shown)
        return f"{before}Question: {prompt}\nAnswer: {OPEN}"
    messages = [("user", f"{prompt}\n\n{instruction or INSTRUCTION}")]
    if style == "direct":
        turns = [(("user", q), ("assistant", f"{OPEN}{a}{CLOSE}")) for q, a in shown]
        messages = [*chain(*turns), ("user", prompt)]
    content = [{"role": role, "content": text} for role, text in messages]
    text = tokenizer.apply_chat_template(content, tokenize=False, add_generation_prompt=True)
    begin = tokenizer.bos_token
    if begin and text.startswith(begin) and tokenizer(begin + "a")["input_ids"][:2] == [tokenizer.bos_token_id] * 2:
        text = text.removeprefix(begin)  # the tokenizer adds it
    return text + OPEN if style == "direct" else text


def continued(prompt: str, text: str) -> str:
    """The completion, with the answer tag that its prompt began.

    >>> continued("1+1=? <answer>", "2</answer>"), continued("1+1=?", "2")
    ('<answer>2</answer>', '2')
    """
    return OPEN + text if prompt.endswith(OPEN) else text
