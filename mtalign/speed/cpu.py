"""Models on a CPU in half the time: linear layers by oneDNN, and the sampling of `speed.decoding`.

torch multiplies matrices by MKL, which on AMD processors does without the widest vector instructions; oneDNN, which
torch ships too, uses them. For small layers both add up numbers in the same order, so that results are equal to the
last bit and records do not depend on which is used; for wide layers they differ by rounding, and a run has to ask for
it (`fast: true`). `quicken` changes a model in place; what cannot be done faster is left to torch and transformers.

Where a run says `cpu_bf16: true` too, and the processor multiplies in bfloat16, layers do so in half the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import nn

from mtalign.speed.decoding import QUICK, can_decode

EXACT = 192  # width of a layer up to which oneDNN adds up a product in MKL's order; wider ones it adds up in blocks
FEW = 64  # rows (tokens) below which a call of oneDNN costs more than it saves, for a small layer ...
WIDE, FEW_OF_WIDE = 2**17, 4  # ... and for one of this many weights


def quicken(model: nn.Module, exact: bool = True) -> None:
    """Makes a model on a CPU faster, in place, by changing the classes of its linear layers and of the model itself.

    Args:
        exact: whether results must stay the same to the last bit. Then a model with a layer wider than `EXACT` is left
            as it is, and so is every model on a machine where the two libraries differ.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    widths = [width for layer in layers for width in (layer.in_features, layer.out_features)]
    if model.device.type != "cpu" or (exact and max(widths, default=EXACT + 1) > EXACT):
        return
    if agrees() if exact else available():
        for layer in layers:
            layer.__class__ = OneDNNLinear
            layer.few = FEW_OF_WIDE if layer.weight.numel() >= WIDE else FEW
    if type(model) in QUICK and can_decode(model.config):
        model.__class__ = QUICK[type(model)]
        model.share_beginnings = not exact


def available() -> bool:
    """Whether this build of torch has oneDNN's linear layer."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@lru_cache
def agrees() -> bool:
    """Whether oneDNN gives torch's bits for the products of small models on this machine.

    Tried with random matrices of the widths that micro models have, once in a process: which instructions the two
    libraries choose depends on the processor.
    """
    if not available():
        return False
    generator = torch.Generator().manual_seed(0)
    for inputs, outputs in ((64, 64), (64, 128), (128, 64), (EXACT, EXACT)):
        x, weight = (torch.randn(rows, inputs, generator=generator) for rows in (999, outputs))
        if not torch.equal(product(x, weight), nn.functional.linear(x, weight)):
            return False
    return True


@lru_cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16, by AVX-512 or AMX: elsewhere it would be slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return available() and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def use_bfloat16(model: nn.Module) -> None:
    """Makes the linear layers of a quick model multiply in bfloat16, where the processor does, as autocast has a GPU do;
    and has sampling in training draw one random number for each token drawn, not for each of the vocabulary.

    Weights, gradients as the optimizer sees them, and all else stay in float32, and so do the logits: with a head of less
    precision the probabilities of sampling and of training drift apart (MiniMax-M1, arXiv 2506.13585, section 3.2).
    """
    model.one_number = True
    if has_bfloat16():
        for module in model.modules():
            if isinstance(module, OneDNNLinear) and module is not model.get_output_embeddings():
                module.narrow = True


class OneDNNLinear(nn.Linear):
    """`nn.Linear` by oneDNN, in float32 on a CPU; few rows and everything else as in torch."""

    few, packed = FEW, None  # rows below which torch's is faster; the weights as oneDNN reads them, see `packed`
    narrow = False  # whether it multiplies in bfloat16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() < self.few * x.shape[-1] or x.dtype != torch.float32 or x.device.type != "cpu":
            return super().forward(x)
        if self.narrow:
            return _NarrowLinear.apply(x, self.weight, self.bias, self.packed)
        if self.packed is not None:
            return product(x, self.packed, self.bias)
        return _Linear.apply(x, self.weight, self.bias)


@contextmanager
def packed(model: nn.Module) -> Iterator[None]:
    """Within, wide layers have a copy of their weights in oneDNN's own order: for sampling, as nothing is learned from it.

    Products of few rows, one for each completion, take a fifth less time; the copy is as large as the model.
    """
    layers = [module for module in model.modules() if isinstance(module, OneDNNLinear) and module.few == FEW_OF_WIDE]
    try:
        for layer in layers:
            weight = layer.weight.detach()
            weight = weight.bfloat16() if layer.narrow else weight
            layer.packed = torch.ops.mkldnn._reorder_linear_weight(weight, FEW)
        yield
    finally:
        for layer in layers:
            del layer.packed


def product(x, weight, bias=None):
    """x @ weight.T + bias by oneDNN: the only name under which torch offers it; a private one, hence the exact pin."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """The product with its gradients. oneDNN's own operator has none.

    The gradient of x is again a product of the same widths. That of the weights sums over all rows, far more than
    `EXACT` numbers, where the bits would differ: it stays torch's.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])  # (B·T, out)
        of_x = product(grad, weight.t()) if ctx.needs_input_grad[0] else None
        of_weight = rows.t() @ x.reshape(-1, x.shape[-1]) if ctx.needs_input_grad[1] else None
        of_bias = rows.sum(dim=0) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias


class _NarrowLinear(torch.autograd.Function):
    """The product in bfloat16; results and gradients are float32. `packed`: the weights as `packed` has them, or None.

    Weights are narrowed each time: a fused optimizer changes them and leaves their version as it is.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, packed):
        x = x.bfloat16()
        weight = weight.bfloat16() if packed is None else packed
        ctx.save_for_backward(x, weight)
        found = product(x, weight).float()
        return found if bias is None else found.add_(bias)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        narrow = grad.bfloat16()
        rows, inputs = (y.reshape(-1, y.shape[-1]) for y in (narrow, x))  # (B·T, out), (B·T, in)
        of_x = product(narrow, weight.t()).float() if ctx.needs_input_grad[0] else None
        of_weight = product(rows.t(), inputs.t()).float() if ctx.needs_input_grad[1] else None
        of_bias = grad.reshape(-1, grad.shape[-1]).sum(dim=0) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias, None


def is_busy() -> bool:
    """Whether other programs have used this machine's cores in the last minute: more than half of them, and another."""
    if not hasattr(os, "getloadavg"):
        return False
    return os.getloadavg()[0] > 1 + (os.cpu_count() or 1) / 2


def use_fastest_threads(model) -> int:
    """Sets the number of torch's threads to one or to all cores, whichever decodes faster now.

    On a machine that other programs use too, threads wait for each other: two can be six times slower than one. There
    one is taken without a trial, which would be slow itself and can hit upon a quiet moment.
    """
    seconds = {}
    torch.set_num_threads(1)
    if is_busy():
        return 1
    ids = torch.ones((16, 4), dtype=torch.long, device=model.device)
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            with torch.inference_mode():
                model(ids)
            times.append(time.perf_counter() - began)
        seconds[threads] = sorted(times)[1]
    best = min(seconds, key=seconds.__getitem__)
    torch.set_num_threads(best)
    return best
