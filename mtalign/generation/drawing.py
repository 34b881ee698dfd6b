"""How tokens are drawn from a large vocabulary, with one uniform number for each completion and step, and where it ends."""

from __future__ import annotations

import torch
from transformers import LogitsProcessor, StoppingCriteria

from mtalign.grading.answers import CLOSE
from mtalign.speed.decoding import by_blocks

TAIL = 12  # tokens in which the end of an answer is looked for


class Uniform:
    """Uniform numbers for a batch of completions, one for each at each step: the same whatever part is decoded at a time.

    A step's numbers are drawn when it is first asked for, so that as many are drawn as the longest completion needs.
    """

    def __init__(self, count: int, device):
        self.count, self.device, self.steps = count, device, []

    def at(self, step: int) -> torch.Tensor:
        """(count, 1) numbers in [0, 1)."""
        while len(self.steps) <= step:
            self.steps.append(torch.rand(self.count, 1, dtype=torch.float64, device=self.device))
        return self.steps[step]


class Drawn(LogitsProcessor):
    """Draws each row's token and leaves it as the only one: one uniform number a row, where `do_sample` draws one for
    each token of the vocabulary and takes a third of the time of decoding on a CPU. The distribution is the same.

    Args:
        numbers: where random numbers come from; None for new ones at each step, for each row.
        of_row: which number a row has, -1 for a row that takes its likeliest token; None for one each, in order.
        always: whether a step's numbers are drawn though no row needs one.
    """

    def __init__(self, temperature: float, numbers: Uniform | None = None, of_row=None, always: bool = False):
        self.temperature, self.numbers, self.of_row, self.always, self.step = temperature, numbers, of_row, always, 0

    def __call__(self, ids, scores):
        rows = torch.arange(len(scores), device=scores.device)
        token, _ = self.of_nodes(scores, scores, rows, rows)
        return scores.fill_(-torch.inf).scatter_(1, token[:, None], 0.0)

    def of_nodes(self, ids, logits, rows, node):
        """(R,) tokens of the `rows` of B, and their log-probabilities, 0 for the likeliest; those with the same logits have
        the same `node`.

        Args:
            ids: B of anything.
            logits: (N, V), overwritten.
        """
        numbers = self.numbers or Uniform(len(ids), logits.device)
        number = rows if self.of_row is None else self.of_row[rows]
        token, sampled = torch.empty_like(rows), number >= 0
        log = torch.zeros(len(rows), device=logits.device)
        greedy = (~sampled).nonzero().flatten()
        token[greedy] = logits[node[greedy]].argmax(dim=-1)  # before the logits are drawn from, in place
        if self.always or len(greedy) < len(rows):
            drawn = numbers.at(self.step if self.numbers else 0)
            token[sampled], log[sampled] = by_blocks(logits, node[sampled], drawn[number[sampled]], self.temperature)
        self.step += 1
        return token, log


class Answered(StoppingCriteria):
    """A completion is done where its answer is closed: a model that is not tuned for chats would go on."""

    by_row = True  # looks at each completion by itself

    def __init__(self, tokenizer, start: int):
        self.tokenizer, self.start = tokenizer, start

    def __call__(self, ids, scores, **_):
        tails = self.tokenizer.batch_decode(ids[:, max(self.start, ids.shape[1] - TAIL) :])
        done = [CLOSE in tail for tail in tails]
        return torch.tensor(done, device=ids.device)
