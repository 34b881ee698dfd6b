"""Faster sampling by transformers' `generate`, for Qwen2 and Llama models, with the same bits.

All completions of a prompt begin alike, and many go on alike. Rows whose tokens so far are the same are one *node*:
the model computes each node once, and its logits serve all its rows. What is not known here (other stopping criteria, a
cache that holds something, scores to return) is left to transformers.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache, LlamaForCausalLM, Qwen2ForCausalLM
from transformers.generation import EosTokenCriteria, MaxLengthCriteria

KNOWN = (EosTokenCriteria, MaxLengthCriteria)


class _Cache:
    """Keys and values of each node's tokens, in buffers of their full length, so that adding a token copies none."""

    def __init__(self, prompts, end: int):
        self.length, self.layers = prompts.get_seq_length(), []
        for layer in prompts.layers:
            pair = [x.new_empty(*x.shape[:2], end, x.shape[3]) for x in (layer.keys, layer.values)]  # (P, H, end, D)
            for buffer, x in zip(pair, (layer.keys, layer.values), strict=True):
                buffer[:, :, : self.length] = x
            self.layers.append(pair)

    def update(self, keys, values, layer: int, *_, **__):
        pair = self.layers[layer]
        for buffer, x in zip(pair, (keys, values), strict=True):
            buffer[:, :, self.length : self.length + 1] = x
        return [buffer[:, :, : self.length + 1] for buffer in pair]

    def follow(self, parents: torch.Tensor) -> None:
        """Makes node i the one after `parents[i]`; a parent can have several nodes after it, or none."""
        if not torch.equal(parents, torch.arange(len(self.layers[0][0]), device=parents.device)):
            self.layers = [[buffer[parents] for buffer in pair] for pair in self.layers]


class _Sampling:
    """`generate`'s loop over tokens, which computes each node once. Random numbers are drawn in transformers' order."""

    def _sample(self, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        ids, asked, read = input_ids, generation_config, kwargs.get("past_key_values")
        if (
            (read is not None and read.get_seq_length())
            or asked.return_dict_in_generate
            or any(type(each) not in KNOWN for each in stopping_criteria)
        ):
            return super()._sample(ids, logits_processor, stopping_criteria, asked, **kwargs)
        mask = kwargs.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else mask.long()
        both, node = torch.unique_consecutive(torch.cat([ids, mask], dim=1), dim=0, return_inverse=True)
        prompts, seen = both.chunk(2, dim=1)  # (P, T); `node` (B,) is what a row begins with, `seen` (N, T) of nodes
        padded, next_place = not seen.all(), seen.sum(dim=1)  # (N,) position of a node's next token
        read, where = DynamicCache(config=self.config), {}
        if padded:
            where = {"attention_mask": seen, "position_ids": (seen.cumsum(dim=1) - 1).clamp(min=0)}
        of_nodes = self(prompts, past_key_values=read, use_cache=True, logits_to_keep=1, **where).logits[:, -1].float()
        logits = of_nodes[node]  # (B, V); of finished rows as they were
        cache = _Cache(read, stopping_criteria.max_length)
        rotary = self.model.rotary_emb(logits, torch.arange(stopping_criteria.max_length, device=ids.device)[None])
        unfinished = torch.ones(len(ids), dtype=torch.long, device=ids.device)
        while True:
            scores = logits_processor(ids, logits)
            if asked.do_sample:
                tokens = torch.multinomial(scores.softmax(dim=-1), num_samples=1).squeeze(1)
            else:
                tokens = scores.argmax(dim=-1)
            if asked._eos_token_tensor is not None:
                tokens = tokens * unfinished + asked._pad_token_tensor * (1 - unfinished)
            ids = torch.cat([ids, tokens[:, None]], dim=-1)
            unfinished = unfinished & ~stopping_criteria(ids, None)
            rows = unfinished.nonzero().flatten()
            if not len(rows):
                return ids
            nodes, of_row = torch.unique(node[rows] * self.vocab_size + tokens[rows], return_inverse=True)
            parents = nodes // self.vocab_size
            cache.follow(parents)
            seen = torch.nn.functional.pad(seen[parents], (0, 1), value=1)
            place = tuple(x[0, next_place[parents], None] for x in rotary)  # (N, 1, D), twice
            next_place = next_place[parents] + 1
            visible = seen.bool()[:, None, None] if padded else None
            logits[rows] = self._next(nodes % self.vocab_size, cache, place, visible)[of_row]
            node[rows] = of_row

    def _next(self, tokens, cache: _Cache, place, visible) -> torch.Tensor:
        """(N, V) logits after the tokens (N,), which the cache takes in."""
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
    quick.__name__ = plain.__name__  # which is written in a saved model's configuration
