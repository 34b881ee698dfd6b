"""Log-probabilities of completions over their prefix trees: what several begin with is computed once for all of them.

The loss and its gradient are those of the rows taken one by one, up to rounding. A group's completions share their prompt
and many of their tokens, so that a micro model's update has 4 to 10 times fewer tokens to compute. Of tree attention
(SpecInfer, arXiv 2305.09781) and of prompts shared in GRPO (Prefix Grouper, arXiv 2506.05433).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from trl.kernels.chunked_logprob import ChunkedLogProbFunction

KNOWN = ("qwen2", "llama")  # models that attend as a mask says, with rotary positions and a plain head
CHUNK = 32768  # of the vocabulary, whose logits are held at a time, as in trl


@dataclass
class Trees:
    """A tree for each of G prompts: N nodes in all, each a token after those of its ancestors and of the prompt."""

    token: torch.Tensor  # (N,) in order of depth
    parent: torch.Tensor  # (N,) a node; of the first `roots` nodes a prompt
    roots: int
    group: torch.Tensor  # (N,) the prompt
    depth: torch.Tensor  # (N,) 0 for a completion's first token
    place: torch.Tensor  # (B, C) the node of each token of each completion


def prefix_trees(completions: torch.Tensor, kept: torch.Tensor, group: torch.Tensor) -> Trees:
    """The trees of completions (B, C), of which `kept` (B, C) marks the tokens, each of the prompt `group` (B,) says.

    >>> tree = prefix_trees(torch.tensor([[7, 8], [7, 5], [7, 8]]), torch.ones(3, 2).bool(), torch.tensor([0, 0, 0]))
    >>> tree.token.tolist(), tree.parent.tolist(), tree.place.tolist()
    ([7, 5, 8], [0, 0, 0], [[0, 2], [0, 1], [0, 2]])
    """
    place, above, width = torch.zeros_like(completions), group.clone(), int(completions.max()) + 1
    tokens, parents, groups, count = [], [], [], 0
    for column in range(completions.shape[1]):
        rows = kept[:, column].nonzero().flatten()
        nodes, of_row = torch.unique(above[rows] * width + completions[rows, column], return_inverse=True)
        tokens.append(nodes % width)
        parents.append(nodes // width)
        groups.append(torch.cat(groups)[parents[-1]] if groups else parents[-1])
        above[rows] = place[rows, column] = of_row + count
        count += len(nodes)
    depth = torch.cat([torch.full_like(nodes, i) for i, nodes in enumerate(tokens)])
    return Trees(torch.cat(tokens), torch.cat(parents), len(tokens[0]), torch.cat(groups), depth, place)


def log_probabilities(model, ids, mask, logits_to_keep: int, temperature: float):
    """Of the last `logits_to_keep` (C) tokens of rows (B, T): (B, C) log-probabilities and entropies, 0 where `mask` is 0."""
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
