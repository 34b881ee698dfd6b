"""A prompt's keys and values, kept once for all its samples: what `generate` would copy for each, at every token.

Built from what transformers offers for it: a cache of one's own, and an attention function registered by name.
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
        """From now on rows are samples, `samples` of each prompt in turn, with at most `length` tokens."""
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
    """Attention of one new token of each sample (B·N, heads, 1, D) to its prompt (B, KV heads, T, D) and its own tokens.

    Exact: one softmax over both parts. While the prompt is read, plain attention.
    """
    if not hasattr(key, "prefix"):
        return AttentionInterface()["sdpa"](module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    (prefix_keys, prefix_values), (rows, heads, _, size) = key.prefix, query.shape
    prompts, kv_heads, prompt_length, _ = prefix_keys.shape
    samples, group = rows // prompts, heads // kv_heads
    queries = query.view(rows, kv_heads, group, size) * scaling
    of_prompts = queries.view(prompts, samples, kv_heads, group, size).transpose(1, 2)
    of_prompts = of_prompts.reshape(prompts, kv_heads, samples * group, size)

    def to_rows(x):  # (B, KV, N·G, X) -> (B·N, KV, G, X)
        return x.view(prompts, kv_heads, samples, group, -1).transpose(1, 2).reshape(rows, kv_heads, group, -1)

    scores = torch.cat([to_rows(of_prompts @ prefix_keys.mT), queries @ key.mT], dim=-1)  # (B·N, KV, G, T + t)
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
    """Read the prompts with it, `share` it, then decode their samples with it."""

    def share(self, samples: int, length: int) -> None:
        for layer in self.layers:
            layer.share(samples, length)


class RepeatedCache(DynamicCache):
    """The same for a model with another attention: a copy for each sample."""

    def share(self, samples: int, length: int) -> None:
        self.batch_repeat_interleave(samples)


def can_share(model) -> bool:
    """Whether the model's attention is the plain one."""
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
