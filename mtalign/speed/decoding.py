"""Sampling of micro models in a fraction of the time of transformers' `generate`, the same text from the same seed.

Two things are saved. Between two tokens `generate` prepares inputs, masks and caches anew, which for a model of 85
thousand parameters costs much beside its own work. And completions of one prompt begin alike: rows that have the same
tokens so far are one *node* of a tree, whose next logits are computed once and used by all of them. A converged model's
sixteen completions are mostly the same text, so that there are few nodes.

The classes here stand in for transformers' own: `speed.cpu.quicken` swaps them in.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache, LlamaForCausalLM, Qwen2ForCausalLM
from transformers.generation import EosTokenCriteria, MaxLengthCriteria

KNOWN = (
    EosTokenCriteria,
    MaxLengthCriteria,
)  # ways to stop that look at each row by itself; others are left to transformers


class _Cache:
    """Keys and values of the nodes, a row each, as transformers' attention layers write and read a cache.

    transformers' own cache copies everything when a token is added; here buffers have their full length from the start.

    Args:
        prompts: the cache after the P prompts were read.
        end: tokens of a prompt and its longest completion.
    """

    def __init__(self, prompts, end: int):
        self.length, self.layers = prompts.get_seq_length(), []
        for layer in prompts.layers:
            pair = [x.new_empty(*x.shape[:2], end, x.shape[3]) for x in (layer.keys, layer.values)]  # (P, H, end, D)
            for buffer, x in zip(pair, (layer.keys, layer.values), strict=True):
                buffer[:, :, : self.length] = x
            self.layers.append(pair)

    def update(self, keys, values, layer: int, *_, **__):
        """Writes one token's keys and values (N, heads, 1, D) of a layer; gives all of that layer so far."""
        pair = self.layers[layer]
        for buffer, x in zip(pair, (keys, values), strict=True):
            buffer[:, :, self.length : self.length + 1] = x
        return [buffer[:, :, : self.length + 1] for buffer in pair]

    def follow(self, parents: torch.Tensor) -> None:
        """Makes node i a child of the former node `parents[i]`, which can have several children, or none.

        Where each node has one child, in order, there is nothing to copy, the usual case after the first tokens.
        """
        if not torch.equal(parents, torch.arange(len(self.layers[0][0]), device=parents.device)):
            self.layers = [[buffer[parents] for buffer in pair] for pair in self.layers]


class _Sampling:
    """The sampling loop of `generate` over nodes instead of rows.

    Random numbers are drawn for all rows, finished ones too, in transformers' order: so the text is the same.
    """

    def _sample(self, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        """(B, T + new) token ids. Overrides what `generate` calls; what it cannot do as fast goes to transformers.

        Args:
            input_ids: (B, T) prompts, rows of the same prompt next to each other, padded on the left.
        """
        ids, cache_given = input_ids, kwargs.get("past_key_values")
        if (
            (cache_given is not None and cache_given.get_seq_length())
            or generation_config.return_dict_in_generate
            or any(type(criterion) not in KNOWN for criterion in stopping_criteria)
        ):
            return super()._sample(ids, logits_processor, stopping_criteria, generation_config, **kwargs)
        mask = kwargs.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else mask.long()
        # At first a node is a prompt: `node` (B,) says which one a row has.
        both, node = torch.unique_consecutive(torch.cat([ids, mask], dim=1), dim=0, return_inverse=True)
        prompts, seen = both.chunk(2, dim=1)  # (P, T) ids, and which of them are no padding
        padded, next_place = not seen.all(), seen.sum(dim=1)  # (N,) position of a node's next token
        prompt_cache, where = DynamicCache(config=self.config), {}
        if padded:
            where = {"attention_mask": seen, "position_ids": (seen.cumsum(dim=1) - 1).clamp(min=0)}
        output = self(prompts, past_key_values=prompt_cache, use_cache=True, logits_to_keep=1, **where)
        logits = output.logits[:, -1].float()[node]  # (B, V); those of a finished row stay as they are
        cache = _Cache(prompt_cache, stopping_criteria.max_length)
        rotary = self.model.rotary_emb(logits, torch.arange(stopping_criteria.max_length, device=ids.device)[None])
        unfinished = torch.ones(len(ids), dtype=torch.long, device=ids.device)
        while True:
            scores = logits_processor(ids, logits)
            if generation_config.do_sample:
                tokens = torch.multinomial(scores.softmax(dim=-1), num_samples=1).squeeze(1)
            else:
                tokens = scores.argmax(dim=-1)
            if generation_config._eos_token_tensor is not None:
                tokens = tokens * unfinished + generation_config._pad_token_tensor * (1 - unfinished)
            ids = torch.cat([ids, tokens[:, None]], dim=-1)
            unfinished = unfinished & ~stopping_criteria(ids, None)
            rows = unfinished.nonzero().flatten()
            if not len(rows):
                return ids
            # A child for each pair of node and next token that occurs; numbered, so that one `unique` finds them.
            pairs, child = torch.unique(node[rows] * self.vocab_size + tokens[rows], return_inverse=True)
            parents, next_tokens = pairs // self.vocab_size, pairs % self.vocab_size
            cache.follow(parents)
            seen = torch.nn.functional.pad(seen[parents], (0, 1), value=1)
            place = tuple(x[0, next_place[parents], None] for x in rotary)  # (N, 1, D), twice
            next_place = next_place[parents] + 1
            visible = seen.bool()[:, None, None] if padded else None
            logits[rows] = self._next(next_tokens, cache, place, visible)[child]
            node[rows] = child

    def _next(self, tokens, cache: _Cache, place, visible) -> torch.Tensor:
        """(N, V) logits after one more token of each node.

        Args:
            tokens: (N,) ids; their keys and values are added to the cache.
            place: cosines and sines of their positions, (N, 1, D) each.
            visible: (N, 1, 1, T) which tokens are no padding; None where none is.
        """
        hidden = self.model.embed_tokens(tokens[:, None])
        for layer in self.model.layers:
            hidden = layer(hidden, position_embeddings=place, past_key_values=cache, attention_mask=visible)
        cache.length += 1
        return self.lm_head(self.model.norm(hidden))[:, -1].float()


class QuickQwen2(_Sampling, Qwen2ForCausalLM):
    pass


class QuickLlama(_Sampling, LlamaForCausalLM):
    pass


QUICK = {Qwen2ForCausalLM: QuickQwen2, LlamaForCausalLM: QuickLlama}
for plain, quick in QUICK.items():
    quick.__name__ = plain.__name__  # a saved model's configuration has the name, and transformers must know it
