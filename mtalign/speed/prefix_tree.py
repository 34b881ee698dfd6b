"""Log-probabilities of completions over their prefix trees: what several begin with is computed once for all of them.

The completions of a group share their prompt and many of their first tokens. As a tree, each shared token is one node,
and a node attends to its ancestors and its prompt; an update then has 4 to 10 times fewer tokens to compute. The last
token of a completion is not computed at all: nothing comes after it. The loss and its gradient are those of the rows taken
one by one, up to rounding, so that a run has to ask for it (`fast: true`). After tree attention (SpecInfer, arXiv
2305.09781) and prompts shared in GRPO (Prefix Grouper, arXiv 2506.05433).

Shapes: B rows, C tokens of a completion, G prompts, P tokens of a prompt, N nodes; L tokens are computed, those of all
prompts and the nodes that have children, in one row without padding; W is the most of one prompt and its nodes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask
from trl.kernels.chunked_logprob import ChunkedLogProbFunction

from mtalign.speed.log_probabilities import KEPT, LogProbabilities

KNOWN = ("qwen2", "llama", "gemma3_text")  # models that attend as a mask says, with rotary positions and a plain head
CHUNK = 32768  # of the vocabulary, whose logits are held at a time where there are too many to keep, as in trl
NAME = "mtalign_grouped"


@dataclass
class Trees:
    """The trees of all prompts as flat arrays: a node is a token after those of its ancestors and of its prompt."""

    token: torch.Tensor  # (N,) in order of the prompts, ancestors first
    parent: torch.Tensor  # (N,) a node; -1 where the prompt comes before
    group: torch.Tensor  # (N,) the prompt
    depth: torch.Tensor  # (N,) 0 for a completion's first token
    line: torch.Tensor  # (N, C) the node itself and its ancestors at their depth; -1 at others
    place: torch.Tensor  # (B, C) the node of each token of each completion; -1 for padding


def prefix_trees(completions: torch.Tensor, kept: torch.Tensor, group: torch.Tensor) -> Trees:
    """Builds the trees: in sorted rows, a token is a new node where the row differs from the one above up to there.

    Args:
        completions: (B, C) token ids, padded on the right.
        kept: (B, C) which of them are no padding.
        group: (B,) the prompt of each row, from 0 to G - 1.

    >>> tree = prefix_trees(torch.tensor([[7, 8], [7, 5], [7, 8]]), torch.ones(3, 2).bool(), torch.tensor([0, 0, 0]))
    >>> tree.token.tolist(), tree.parent.tolist(), tree.place.tolist()
    ([7, 5, 8], [-1, 0, 0], [[0, 2], [0, 1], [0, 2]])
    """
    keys = torch.cat([group[:, None], torch.where(kept, completions, -1)], dim=1)  # (B, 1 + C)
    rows, same = torch.unique(keys, dim=0, return_inverse=True)  # sorted; (B,) which of them a row is
    new = torch.ones_like(rows, dtype=torch.bool)
    new[1:] = (rows[1:] != rows[:-1]).cumsum(dim=1) > 0
    group, rows, new = rows[:, 0], rows[:, 1:], new[:, 1:] & (rows[:, 1:] >= 0)
    number = new.flatten().cumsum(dim=0).view_as(new) - 1
    place = torch.where(new, number, -1).cummax(dim=0).values.masked_fill(rows < 0, -1)
    row, depth = new.nonzero(as_tuple=True)
    parent = torch.where(depth > 0, place[row, depth - 1], -1)
    line = place[row].masked_fill(torch.arange(rows.shape[1], device=rows.device) > depth[:, None], -1)
    return Trees(rows[row, depth], parent, group[row], depth, line, place[same])


def log_probabilities(model, ids, mask, logits_to_keep: int, temperature: float):
    """What trl's `_get_per_token_logps_and_entropies` computes, over prefix trees.

    Args:
        model: one of the kinds in `KNOWN`.
        ids, mask: (B, T) prompts padded on the left, completions on the right; 0 in the mask is padding.
        logits_to_keep: C, the tokens of a completion.
        temperature: what logits are divided by.

    Returns:
        Log-probabilities and entropies in nats, (B, C) each, 0 where the mask is 0.
    """
    before = ids.shape[1] - logits_to_keep  # P
    both, group = torch.unique(torch.cat([ids[:, :before], mask[:, :before]], dim=1), dim=0, return_inverse=True)
    tree = prefix_trees(ids[:, before:], mask[:, before:].bool(), group)
    packed = _Packed(both[:, :before], both[:, before:].bool(), tree)
    with _grouped(model):
        hidden = model.model(
            packed.token[None], attention_mask=packed.seen[:, None], position_ids=packed.position[None],
            use_cache=False, packed=packed,
        ).last_hidden_state[0]  # (L, H)  # fmt: skip
    # What is asked of a token that has been computed is the same for all that come next: M such tokens.
    asked, of_node = torch.unique(packed.above, return_inverse=True)
    head = model.get_output_embeddings()
    if ids.device.type == "cpu" and len(asked) * len(head.weight) <= KEPT:
        value, entropy = LogProbabilities.apply(hidden[asked], head.weight, head.bias, of_node, tree.token, temperature)
        found = value, entropy[of_node]
    else:
        found = ChunkedLogProbFunction.apply(
            hidden[packed.above], head.weight, head.bias, tree.token, temperature, CHUNK, None, 1.0, ("entropy",)
        )[:2]
    return [torch.where(tree.place >= 0, x[tree.place], 0.0) for x in found]


class _Packed:
    """The L tokens that are computed, in one row: each prompt's, then the nodes of its tree that have children.

    Attributes:
        token, position: (L,) ids, and how many come before it in its completion.
        above: (N,) the token in the row that comes before a node.
        place: (L,) where in G·W a token is; `source` (G·W,) the token that is there, the first where none is.
        seen: (G, W, W) which tokens a token attends to: itself, its ancestors and those of the prompt before it.
    """

    def __init__(self, prompts: torch.Tensor, kept: torch.Tensor, tree: Trees):
        count, device = len(prompts), prompts.device
        inner = torch.zeros_like(tree.group, dtype=torch.bool)
        inner[tree.parent[tree.parent >= 0]] = True
        lengths = kept.sum(dim=1)  # (G,)
        sizes = lengths + torch.bincount(tree.group[inner], minlength=count)
        width = int(sizes.max())
        start = torch.arange(count, device=device) * width
        group, nodes = tree.group[inner], sizes - lengths
        slot = torch.arange(len(group), device=device) - (nodes.cumsum(dim=0) - nodes)[group] + lengths[group]
        there = torch.full_like(tree.group, -1)  # (N,) where a node is in G·W; -1 for one without children
        there[inner] = start[group] + slot
        tokens, positions = (torch.zeros(count * width, dtype=torch.long, device=device) for _ in range(2))
        column = torch.arange(width, device=device)
        of_prompt = (start[:, None] + column)[column < lengths[:, None]]
        tokens[of_prompt] = prompts[kept]  # in order of the prompts, both
        positions[of_prompt] = column.expand(count, -1)[column < lengths[:, None]]
        tokens[there[inner]], positions[there[inner]] = tree.token[inner], lengths[group] + tree.depth[inner]
        self.place = (column < sizes[:, None]).flatten().nonzero().flatten()
        self.source = torch.zeros(count * width, dtype=torch.long, device=device)
        self.source[self.place] = torch.arange(len(self.place), device=device)
        self.token, self.position = tokens[self.place], positions[self.place]
        last = start + lengths - 1
        self.above = self.source[torch.where(tree.parent >= 0, there[tree.parent], last[tree.group])]
        self.shape = count, width
        self.full = len(self.place) == count * width
        before = (column <= column[:, None]) & (column < lengths[:, None, None])  # (G, W, W): of the prompt
        before |= torch.eye(width, dtype=torch.bool, device=device)
        line = tree.line[inner]
        node, depth = (line >= 0).nonzero(as_tuple=True)
        before.view(-1, width)[there[inner][node], there[line[node, depth]] % width] = True
        self.seen = before

    def spread(self, x: torch.Tensor) -> torch.Tensor:
        """(1, heads, L, D) -> (G, heads, W, D)."""
        x = x.transpose(1, 2)[0]
        x = x if self.full else x.index_select(0, self.source)
        return x.reshape(*self.shape, *x.shape[1:]).transpose(1, 2)

    def gather(self, x: torch.Tensor) -> torch.Tensor:
        """(G, W, heads, D) -> (1, L, heads, D)."""
        x = x.flatten(0, 1)
        return (x if self.full else x.index_select(0, self.place))[None]


def attend(module, query, key, value, attention_mask, packed: _Packed, **kwargs):
    """Attention within each prompt and its nodes: all else of a model takes the tokens as they come, without padding."""
    query, key, value = (packed.spread(x) for x in (query, key, value))
    out, _ = AttentionInterface()["sdpa"](module, query, key, value, attention_mask, **kwargs)
    return packed.gather(out), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def _grouped(model):
    """Within, the model attends by `attend`."""
    usual, model.config._attn_implementation = model.config._attn_implementation, NAME
    try:
        yield
    finally:
        model.config._attn_implementation = usual
