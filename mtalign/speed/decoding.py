"""Sampling of small models in a fraction of the time of transformers' `generate`, the same text from the same seed.

Two things are saved. Between two tokens `generate` prepares inputs, masks and caches anew, which for a model of 85
thousand parameters costs much beside its own work. And completions of one prompt begin alike: rows that have the same
tokens so far are one *node* of a tree, whose next logits are computed once and used by all of them. A converged model's
sixteen completions are mostly the same text, so that there are few nodes.

The classes here stand in for transformers' own: `speed.cpu.quicken` swaps them in.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache, Gemma3ForCausalLM, LlamaForCausalLM, Qwen2ForCausalLM
from transformers.generation import EosTokenCriteria, MaxLengthCriteria

KNOWN = (
    EosTokenCriteria,
    MaxLengthCriteria,
)  # ways to stop that look at each row by itself, as those with `by_row` do; others are left to transformers


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

    share_beginnings = False  # whether what all prompts begin with is read once: the same up to rounding
    one_number = False  # whether a row draws one random number for its next token: the distribution is the same
    logs = None  # (B, new) log-probabilities of the tokens that were sampled last

    def _sample(self, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        """(B, T + new) token ids. Overrides what `generate` calls; what it cannot do as fast goes to transformers.

        Args:
            input_ids: (B, T) prompts, rows of the same prompt next to each other, padded on the left.
        """
        ids, cache_given = input_ids, kwargs.get("past_key_values")
        if (
            (cache_given is not None and cache_given.get_seq_length())
            or generation_config.return_dict_in_generate
            or not all(type(each) in KNOWN or getattr(each, "by_row", False) for each in stopping_criteria)
        ):
            return super()._sample(ids, logits_processor, stopping_criteria, generation_config, **kwargs)
        mask = kwargs.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else mask.long()
        # At first a node is a prompt: `node` (B,) says which one a row has.
        both, node = torch.unique_consecutive(torch.cat([ids, mask], dim=1), dim=0, return_inverse=True)
        prompts, seen = both.chunk(2, dim=1)  # (P, T) ids, and which of them are no padding
        next_place = seen.sum(dim=1)  # (N,) position of a node's next token
        logits, prompt_cache, seen = self._read(prompts, seen)  # (N, V) of the nodes
        padded = not seen.all()
        cache = _Cache(prompt_cache, stopping_criteria.max_length)
        rotary = self._rotary(logits, torch.arange(stopping_criteria.max_length, device=ids.device)[None])
        unfinished = torch.ones(len(ids), dtype=torch.long, device=ids.device)
        rows, logs = torch.arange(len(ids), device=ids.device), []
        choose = _chooser(logits_processor, generation_config.do_sample, self.one_number)
        padding = generation_config._pad_token_tensor
        padding = 0 if padding is None else int(padding)
        while True:
            chosen, log = choose(ids, logits, rows, node[rows])
            logs.append(torch.zeros(len(ids), device=ids.device).index_copy_(0, rows, log))
            tokens = torch.full((len(ids),), padding, device=ids.device)
            tokens[rows] = chosen
            ids = torch.cat([ids, tokens[:, None]], dim=-1)
            unfinished = unfinished & ~stopping_criteria(ids, None)
            rows = unfinished.nonzero().flatten()
            if not len(rows):
                self.logs = torch.stack(logs, dim=1)
                return ids
            # A child for each pair of node and next token that occurs; numbered, so that one `unique` finds them.
            pairs, child = torch.unique(node[rows] * self.vocab_size + tokens[rows], return_inverse=True)
            parents, next_tokens = pairs // self.vocab_size, pairs % self.vocab_size
            cache.follow(parents)
            seen = torch.nn.functional.pad(seen[parents], (0, 1), value=1)
            next_place = next_place[parents]
            place = {kind: tuple(x[0, next_place, None] for x in pair) for kind, pair in rotary.items()}  # (N, 1, D)
            next_place = next_place + 1
            visible = seen.bool()[:, None, None] if padded else None
            logits = self._next(next_tokens, cache, place, visible)
            node[rows] = child

    def _read(self, prompts, seen):
        """Reads P prompts: their next logits (P, V), the cache, and (P, T) which places in it are no padding.

        What all begin with is read once where rounding may differ; then it comes first in the cache, before the padding.
        """
        cache, begun = DynamicCache(config=self.config), 0
        if self.share_beginnings and len(prompts) > 1:
            begun = _beginning(prompts, seen)
        if begun:
            start = int((seen[0] == 0).sum())
            self.model(prompts[:1, start : start + begun], past_key_values=cache, use_cache=True)
            cache.batch_repeat_interleave(len(prompts))
            rest = seen.clone()
            rest[(seen.cumsum(dim=1) <= begun) & seen.bool()] = 0
            prompts, rest = prompts[:, begun:], rest[:, begun:]  # columns of padding, or read
            seen = torch.cat([torch.ones_like(seen[:, :begun]), rest], dim=1)
        where = {}
        if not seen.all():
            where = {"attention_mask": seen, "position_ids": (seen.cumsum(dim=1) - 1).clamp(min=0)[:, begun:]}
        output = self(prompts, past_key_values=cache, use_cache=True, logits_to_keep=1, **where)
        return output.logits[:, -1].float(), cache, seen

    def _next(self, tokens, cache: _Cache, place, visible) -> torch.Tensor:
        """(N, V) logits after one more token of each node.

        Args:
            tokens: (N,) ids; their keys and values are added to the cache.
            place: cosines and sines of their positions, (N, 1, D) each, for each kind of layer.
            visible: (N, 1, 1, T) which tokens are no padding; None where none is.
        """
        hidden = self.model.embed_tokens(tokens[:, None])
        kinds = getattr(self.config, "layer_types", None) or ["full_attention"] * len(self.model.layers)
        for layer, kind in zip(self.model.layers, kinds, strict=True):
            where = place[kind if kind in place else "full_attention"]
            hidden = layer(hidden, position_embeddings=where, past_key_values=cache, attention_mask=visible)
        cache.length += 1
        return self.lm_head(self.model.norm(hidden))[:, -1].float()

    def _rotary(self, x, positions) -> dict:
        """Kind of layer -> cosines and sines of the positions (1, T, D)."""
        return {"full_attention": self.model.rotary_emb(x, positions)}


def _beginning(prompts, seen) -> int:
    """Tokens that all prompts begin with; each keeps one of its own, whose logits are asked for."""
    shortest = int(seen.sum(dim=1).min()) - 1
    start = (seen == 0).sum(dim=1, keepdim=True)  # (P, 1)
    first = prompts.gather(1, start + torch.arange(shortest, device=prompts.device))  # (P, shortest)
    return int((first == first[0]).all(dim=0).long().cumprod(dim=0).sum())


def _chooser(processors, do_sample: bool, one_number: bool):
    """A function (ids (B, T), logits of nodes (N, V), rows (R,), their nodes (R,)) -> tokens and log-probabilities (R,).

    Rows are those that are not finished. A processor with a method `of_nodes` chooses itself; random numbers are drawn
    for all B rows in any case: one for each token of the vocabulary, as transformers does, or `one_number`.
    """
    if len(processors) == 1 and hasattr(processors[0], "of_nodes"):
        return processors[0].of_nodes
    if do_sample and one_number and not len(processors):

        def draw(ids, logits, rows, node):
            numbers = torch.rand(len(ids), 1, dtype=torch.float64, device=ids.device)
            return by_blocks(logits, node, numbers[rows])

        return draw

    def choose(ids, logits, rows, node):
        if len(processors):  # one can depend on the tokens of its row
            logits, node = processors(ids[rows], logits[node]), torch.arange(len(rows), device=ids.device)
        if not do_sample:
            tokens = logits.argmax(dim=-1)[node]
            return tokens, torch.zeros(len(rows), device=ids.device)
        shares = logits.softmax(dim=-1)  # (N, V)
        noise = torch.empty(len(ids), logits.shape[1], device=ids.device).exponential_(1)  # as `torch.multinomial`
        tokens = (shares[node] / noise[rows]).argmax(dim=-1)
        return tokens, shares[node, tokens].log()

    return choose


BLOCK = 256  # tokens of the vocabulary that are drawn from together


def by_blocks(logits, node, numbers, temperature: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draws a token for each row: a block of `BLOCK` tokens by its share, then one within it; one pass over the vocabulary.

    Args:
        logits: (N, V), overwritten.
        node: (R,) whose logits a row draws from.
        numbers: (R, 1) in [0, 1).

    Returns:
        (R,) tokens, and their log-probabilities in nats.

    >>> token, log = by_blocks(torch.tensor([[0.0, 0.0]]), torch.tensor([0, 0]), torch.tensor([[0.4], [0.6]]).double())
    >>> token.tolist(), log.exp().tolist()
    ([0, 1], [0.5, 0.5])
    """
    vocabulary = logits.shape[1]
    weights = logits.sub_(logits.amax(dim=-1, keepdim=True)).div_(temperature).exp_()
    blocks = torch.nn.functional.pad(weights, (0, -vocabulary % BLOCK)).view(len(logits), -1, BLOCK)
    sums = blocks.sum(dim=-1)
    below = sums.cumsum(dim=-1, dtype=torch.float64)[node]  # (R, V / BLOCK)
    total = below[:, -1:]
    drawn = numbers * total
    block = torch.searchsorted(below, drawn, right=True).clamp(max=below.shape[1] - 1)  # (R, 1)
    drawn -= below.gather(1, block) - sums[node].double().gather(1, block)
    within = blocks[node, block[:, 0]].cumsum(dim=-1, dtype=torch.float64)
    token = torch.searchsorted(within, drawn, right=True).clamp(max=BLOCK - 1) + block * BLOCK
    token = token.clamp(max=vocabulary - 1)[:, 0]
    return token, (weights[node, token] / total[:, 0]).log().to(logits.dtype)


class QuickQwen2(_Sampling, Qwen2ForCausalLM):
    pass


class QuickLlama(_Sampling, LlamaForCausalLM):
    pass


class QuickGemma3(_Sampling, Gemma3ForCausalLM):
    """All of whose text is within the window of its layers; longer text is left to transformers."""

    def _sample(self, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        how = input_ids, logits_processor, stopping_criteria, generation_config
        if stopping_criteria.max_length > self.config.sliding_window:
            return Gemma3ForCausalLM._sample(self, *how, **kwargs)
        return super()._sample(*how, **kwargs)

    def _rotary(self, x, positions):
        return {kind: self.model.rotary_emb(x, positions, kind) for kind in set(self.config.layer_types)}


QUICK = {Qwen2ForCausalLM: QuickQwen2, LlamaForCausalLM: QuickLlama, Gemma3ForCausalLM: QuickGemma3}
for plain, quick in QUICK.items():
    quick.__name__ = plain.__name__  # a saved model's configuration has the name, and transformers must know it


def can_decode(config) -> bool:
    """Whether a model attends to all tokens, as Gemma 3 does within its window, and its head is plain."""
    types = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = {"sliding_attention"} if config.model_type == "gemma3_text" else set()
    capped = getattr(config, "final_logit_softcapping", None) is not None
    return types <= {"full_attention"} | windowed and not capped
