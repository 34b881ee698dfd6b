"""Log-probabilities of completions over their prefix trees: what several begin with is computed once for all of them.

The completions of a group share their prompt and many of their first tokens. As a tree, each shared token is one node,
and a node attends to its ancestors and its prompt; a micro model's update then has 4 to 10 times fewer tokens to
compute. The loss and its gradient are those of the rows taken one by one, up to rounding, so that a run has to ask for
it (`fast: true`). After tree attention (SpecInfer, arXiv 2305.09781) and prompts shared in GRPO (Prefix Grouper, arXiv
2506.05433).

Shapes: B rows, C tokens of a completion, G prompts, P tokens of a prompt, N nodes; W is P plus the largest tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from trl.kernels.chunked_logprob import ChunkedLogProbFunction

KNOWN = ("qwen2", "llama")  # models that attend as a mask says, with rotary positions and a plain head
CHUNK = 32768  # of the vocabulary, whose logits are held at a time, as in trl


@dataclass
class Trees:
    """The trees of all prompts as flat arrays: a node is a token after those of its ancestors and of its prompt."""

    token: torch.Tensor  # (N,) in order of depth
    parent: torch.Tensor  # (N,) a node; for the first `roots` nodes, which have no parent, the prompt
    roots: int  # nodes of depth 0
    group: torch.Tensor  # (N,) the prompt
    depth: torch.Tensor  # (N,) 0 for a completion's first token
    place: torch.Tensor  # (B, C) the node of each token of each completion


def prefix_trees(completions: torch.Tensor, kept: torch.Tensor, group: torch.Tensor) -> Trees:
    """Builds the trees column by column: rows that have had the same node and have the same next token share a child.

    Args:
        completions: (B, C) token ids, padded on the right.
        kept: (B, C) which of them are no padding.
        group: (B,) the prompt of each row, from 0 to G - 1.

    >>> tree = prefix_trees(torch.tensor([[7, 8], [7, 5], [7, 8]]), torch.ones(3, 2).bool(), torch.tensor([0, 0, 0]))
    >>> tree.token.tolist(), tree.parent.tolist(), tree.place.tolist()
    ([7, 5, 8], [0, 0, 0], [[0, 2], [0, 1], [0, 2]])
    """
    place, above, width = torch.zeros_like(completions), group.clone(), int(completions.max()) + 1
    tokens, parents, groups, count = [], [], [], 0
    for column in range(completions.shape[1]):
        rows = kept[:, column].nonzero().flatten()
        # A pair of parent and token is numbered by parent * width + token, so that one `unique` tells pairs apart.
        pairs, child = torch.unique(above[rows] * width + completions[rows, column], return_inverse=True)
        tokens.append(pairs % width)
        parents.append(pairs // width)
        groups.append(torch.cat(groups)[parents[-1]] if groups else parents[-1])
        above[rows] = place[rows, column] = child + count
        count += len(pairs)
    depth = torch.cat([torch.full_like(level, i) for i, level in enumerate(tokens)])
    return Trees(torch.cat(tokens), torch.cat(parents), len(tokens[0]), torch.cat(groups), depth, place)


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
    prompts, prompt_mask = both[:, :before], both[:, before:].bool()  # (G, P)
    kept = mask[:, before:].bool()
    tree = prefix_trees(ids[:, before:], kept, group)
    sizes = tree.group.bincount(minlength=len(prompts))
    order = tree.group.argsort(stable=True)
    slot = torch.empty_like(order)  # (N,) place among the nodes of its prompt
    slot[order] = torch.arange(len(order), device=ids.device) - (sizes.cumsum(0) - sizes)[tree.group[order]]
    width = before + int(sizes.max())  # W
    inputs = torch.nn.functional.pad(prompts, (0, width - before))  # (G, W): a prompt, then its nodes
    positions = torch.arange(width, device=ids.device).expand(len(prompts), -1).clone()
    inputs[tree.group, before + slot], positions[tree.group, before + slot] = tree.token, before + tree.depth
    hidden = model.model(
        inputs, attention_mask=_seen(tree, slot, prompt_mask, width)[:, None], position_ids=positions, use_cache=False
    ).last_hidden_state.flatten(0, 1)  # (G·W, H)
    above = tree.group * width + before - 1  # the prompt's last token, or the parent
    above[tree.roots :] += 1 + slot[tree.parent[tree.roots :]]
    head = model.get_output_embeddings()
    of_nodes = ChunkedLogProbFunction.apply(
        hidden[above], head.weight, head.bias, tree.token, temperature, CHUNK, None, 1.0, ("entropy",)
    )[:2]
    return [torch.where(kept, x[tree.place], 0.0) for x in of_nodes]


def _seen(tree: Trees, slot: torch.Tensor, prompt_mask: torch.Tensor, width: int) -> torch.Tensor:
    """(G, W, W): which tokens a token attends to: itself, its ancestors and those of the prompt that came before."""
    groups, before = prompt_mask.shape
    seen = torch.eye(width, dtype=torch.bool, device=slot.device).repeat(groups, 1, 1)
    seen[:, :before, :before] |= (prompt_mask[:, None] & torch.ones_like(seen[0, :before, :before]).tril()).bool()
    seen[:, before:, :before] = prompt_mask[:, None]
    for depth in range(1, int(tree.depth.max()) + 1):
        nodes = (tree.depth == depth).nonzero().flatten()
        group = tree.group[nodes]
        seen[group, before + slot[nodes]] |= seen[group, before + slot[tree.parent[nodes]]]
    return seen
