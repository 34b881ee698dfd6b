"""A prompt's keys and values are kept once for all its samples: `generate` would copy them for each, at every token.

For large models, whose prompts of hundreds of tokens fill most of the cache. Built from what transformers offers for
it: a cache class of one's own, and an attention function registered by name. B are prompts, N the samples of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from transformers import AttentionInterface, AttentionMaskInterface, Cache, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import sdpa_mask

NAME = "mtalign_shared_prefix"


class SharedLayer(DynamicLayer):
    """The keys and values of B prompts, and after `share` of N samples of each, in a buffer that is not copied."""

    def share(self, samples: int, length: int) -> None:
        """Ends the reading of prompts: from now on rows are their samples.

        Args:
            samples: N of each prompt, next to each other, in the order of the prompts.
            length: tokens that a sample can have.
        """
        self.prefix, self.length = (self.keys, self.values), 0
        self.buffers = [x.new_empty(len(x) * samples, x.shape[1], length, x.shape[3]) for x in self.prefix]

    def update(self, key_states, value_states, *args, **kwargs):
        if not hasattr(self, "prefix"):
            return super().update(key_states, value_states, *args, **kwargs)
        start, self.length = self.length, self.length + key_states.shape[2]
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : self.length] = states
        keys, values = (buffer[:, :, : self.length] for buffer in self.buffers)
        keys.prefix = self.prefix  # for `attend`, which is given no cache
        return keys, values

    def get_seq_length(self) -> int:
        return super().get_seq_length() + getattr(self, "length", 0)


def attend(module, query, key, value, attention_mask, scaling, **kwargs):
    """Attention of one new token a sample (B·N, heads, 1, D) to its prompt (B, KV heads, T, D) and its own tokens.

    Exact: one softmax over both parts. While the prompt is read, plain attention.
    """
    if not hasattr(key, "prefix"):
        return AttentionInterface()["sdpa"](module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    (prefix_keys, prefix_values), (rows, heads, _, size) = key.prefix, query.shape
    prompts, kv_heads, prompt_length, _ = prefix_keys.shape
    samples, group = rows // prompts, heads // kv_heads
    by_row = query.view(rows, kv_heads, group, size) * scaling  # (B·N, KV, G, D)
    # All samples of a prompt ask its keys in one product, which reads them once: (B, KV, N·G, D)
    by_prompt = by_row.view(prompts, samples, kv_heads, group, size).transpose(1, 2)
    by_prompt = by_prompt.reshape(prompts, kv_heads, samples * group, size)

    def to_rows(x):  # (B, KV, N·G, X) -> (B·N, KV, G, X)
        return x.view(prompts, kv_heads, samples, group, -1).transpose(1, 2).reshape(rows, kv_heads, group, -1)

    scores = torch.cat([to_rows(by_prompt @ prefix_keys.mT), by_row @ key.mT], dim=-1)  # (B·N, KV, G, T + t)
    if attention_mask is not None:  # (B·N, 1, 1, T + t)
        scores = scores.masked_fill(~attention_mask, -torch.inf)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    of_prompt = weights[..., :prompt_length].view(prompts, samples, kv_heads, group, -1).transpose(1, 2)
    out = to_rows(of_prompt.reshape(prompts, kv_heads, samples * group, -1) @ prefix_values)
    out += weights[..., prompt_length:] @ value
    return out.reshape(rows, 1, heads, -1), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


class SharedCache(Cache):
    """A cache in three steps: the model reads B prompts with it, `share` makes its rows B·N samples, they are decoded."""

    def share(self, samples: int, length: int) -> None:
        """As `SharedLayer.share`, for all layers."""
        for layer in self.layers:
            layer.share(samples, length)


class RepeatedCache(DynamicCache):
    """The same steps for a model whose attention cannot be replaced: a copy of the prompt for each sample."""

    def share(self, samples: int, length: int) -> None:
        """Copies each prompt's part N times; the length is not needed."""
        self.batch_repeat_interleave(samples)


def can_share(model) -> bool:
    """Whether `attend` computes the model's attention: softmax of scaled products, over all tokens or a window of them.

    Soft-capped scores (Gemma 2) are another function; an implementation other than `sdpa` was asked for by somebody.
    """
    config = model.config.get_text_config()
    plain = set(getattr(config, "layer_types", None) or ()) <= {"full_attention", "sliding_attention"}
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    return model.config._attn_implementation == "sdpa" and plain and not capped


@contextmanager
def shared_prefix(model) -> Iterator[Callable[[], SharedCache | RepeatedCache]]:
    """Within, the model attends by `attend` where it can, with caches made by what this yields."""
    if not can_share(model):
        yield lambda: RepeatedCache(config=model.config)
        return
    usual, layers = model.config._attn_implementation, model.config.get_text_config().num_hidden_layers
    model.set_attn_implementation(NAME)
    try:
        yield lambda: SharedCache(layers=[SharedLayer() for _ in range(layers)])
    finally:
        model.set_attn_implementation(usual)
