"""Log-probabilities of tokens from hidden states, with their gradients: a product with the vocabulary is the largest of all."""

from __future__ import annotations

import torch

from mtalign.speed.cpu import product

KEPT = 2**27  # logits, half a gigabyte, that are kept from the forward to the backward pass instead of computed again


class LogProbabilities(torch.autograd.Function):
    """(hidden (M, H), weight (V, H), bias, row (N,), token (N,), temperature) -> (N,) and entropies (M,), in nats.

    As trl's `ChunkedLogProbFunction`, of which it is the case that all logits fit: `row` says from which hidden state a
    token's is, so that tokens with the same one share its logits, and the backward pass finds the probabilities.
    """

    @staticmethod
    def forward(ctx, hidden, weight, bias, row, token, temperature):
        ctx.set_materialize_grads(False)
        logits = product(hidden, weight, bias)  # (M, V)
        if temperature != 1.0:
            logits /= temperature
        logits -= logits.amax(dim=1, keepdim=True)
        chosen = logits[row, token]
        weights = logits.exp()
        total = weights.sum(dim=1)
        entropy = total.log() - logits.mul_(weights).sum(dim=1) / total
        value = chosen - total.log()[row]
        probabilities = weights.div_(total[:, None])
        ctx.save_for_backward(hidden, weight, bias, row, token, probabilities, entropy)
        ctx.temperature = temperature
        return value, entropy

    @staticmethod
    def backward(ctx, of_value, of_entropy):
        hidden, weight, bias, row, token, probabilities, entropy = ctx.saved_tensors
        grad = (
            torch.zeros_like(entropy) if of_value is None else -torch.zeros_like(entropy).index_add_(0, row, of_value)
        )
        grad = probabilities * grad[:, None]  # d log p(t)/dz = [z is t's] - p
        if of_value is not None:
            grad.index_put_((row, token), of_value, accumulate=True)
        if of_entropy is not None:  # dH/dz = -p (log p + H); p log p is 0 where p is
            grad += (torch.special.entr(probabilities) - probabilities * entropy[:, None]) * of_entropy[:, None]
        if ctx.temperature != 1.0:
            grad /= ctx.temperature
        needed = ctx.needs_input_grad
        return (
            product(grad, weight.t()) if needed[0] else None,
            grad.t() @ hidden if needed[1] else None,
            grad.sum(dim=0) if bias is not None and needed[2] else None,
            None, None, None,
        )  # fmt: skip
