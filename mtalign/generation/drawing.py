"""How tokens are drawn from a large vocabulary, with one uniform number for each completion and step, and where it ends."""

from __future__ import annotations

import torch
from transformers import LogitsProcessor, StoppingCriteria

from mtalign.grading.answers import CLOSE

BLOCK = 256  # tokens of the vocabulary that are drawn from together
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

    A block of `BLOCK` tokens is drawn by its share, then a token within it: one pass over the vocabulary.

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
        """(R,) tokens of the `rows` of B, and no log-probabilities; those with the same logits have the same `node`.

        Args:
            ids: B of anything.
            logits: (N, V), overwritten.
        """
        numbers = self.numbers or Uniform(len(ids), logits.device)
        number = rows if self.of_row is None else self.of_row[rows]
        token, sampled = torch.empty_like(rows), number >= 0
        greedy = (~sampled).nonzero().flatten()
        token[greedy] = logits[node[greedy]].argmax(dim=-1)  # before the logits are drawn from, in place
        if self.always or len(greedy) < len(rows):
            drawn = numbers.at(self.step if self.numbers else 0)
            token[sampled] = self._draw(logits, node[sampled], drawn[number[sampled]])
        self.step += 1
        return token, torch.zeros(len(rows), device=logits.device)

    def _draw(self, logits, node, drawn):
        vocabulary = logits.shape[1]
        weights = logits.sub_(logits.amax(dim=-1, keepdim=True)).div_(self.temperature).exp_()
        blocks = torch.nn.functional.pad(weights, (0, -vocabulary % BLOCK)).view(len(logits), -1, BLOCK)
        sums = blocks.sum(dim=-1)
        below = sums.cumsum(dim=-1, dtype=torch.float64)[node]  # (R, V / BLOCK)
        drawn = drawn * below[:, -1:]
        block = torch.searchsorted(below, drawn, right=True).clamp(max=below.shape[1] - 1)  # (R, 1)
        drawn -= below.gather(1, block) - sums[node].double().gather(1, block)
        within = blocks[node, block[:, 0]].cumsum(dim=-1, dtype=torch.float64)
        token = torch.searchsorted(within, drawn, right=True).clamp(max=BLOCK - 1) + block * BLOCK
        return token[:, 0].clamp(max=vocabulary - 1)


class Answered(StoppingCriteria):
    """A completion is done where its answer is closed: a model that is not tuned for chats would go on."""

    by_row = True  # looks at each completion by itself

    def __init__(self, tokenizer, start: int):
        self.tokenizer, self.start = tokenizer, start

    def __call__(self, ids, scores, **_):
        tails = self.tokenizer.batch_decode(ids[:, max(self.start, ids.shape[1] - TAIL) :])
        done = [CLOSE in tail for tail in tails]
        return torch.tensor(done, device=ids.device)
