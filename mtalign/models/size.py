"""How large a model is, from the numbers in its configuration alone: weights, and bytes of its KV cache."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.hub import listing
from mtalign.models import dialled
from mtalign.models.load import checkpoint


@lru_cache
def architecture(model: str) -> dict:
    """The numbers of a model's config.json: of a local folder, of params/hub.yaml, or of the recipe of a micro model.

    Raises:
        ConfigError: the model is in neither.
    """
    if model in listing()["models"]:
        return listing()["models"][model]
    if dialled.is_dialled(model):
        return dialled.architecture(model)
    try:
        folder = checkpoint(model)
    except KeyError:
        folder = None
    if folder is None:
        raise ConfigError(f"model {model}: not at hand and not in params/hub.yaml; add its config's numbers there")
    return json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))


def parameters(config: dict) -> int:
    """Number of weights of a decoder of the Qwen2 or Llama kind, from its config.

    A layer has four projections of attention (Qwen2: with biases but for the last), three of the gated MLP and two
    norms; then there are the embeddings, a head of the same size unless it is tied to them, and a last norm.

    >>> f"{parameters(listing()['models']['Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796']):,}"
    '7,615,616,512'
    """
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    biases = hidden + 2 * keys if config["model_type"] == "qwen2" else 0
    layer = 2 * hidden * (hidden + keys) + biases + 3 * hidden * config["intermediate_size"] + 2 * hidden
    tables = 1 if config["tie_word_embeddings"] else 2
    return tables * config["vocab_size"] * hidden + layers * layer + hidden


def cache_bytes(config: dict, size: int = 2) -> int:
    """Bytes that one token takes in the KV cache: its key and its value, in each layer and KV head.

    Args:
        size: bytes of a number; 2 for 16 bits.

    >>> cache_bytes(listing()["models"]["Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796"])
    57344
    """
    head = config["hidden_size"] // config["num_attention_heads"]
    return 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * head * size


def lora_parameters(config: dict, rank: int) -> int:
    """Number of weights of an adapter of all linear layers, two matrices for each: rank x inputs and outputs x rank."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    sides = 2 * (hidden + hidden) + 2 * (hidden + keys) + 3 * (hidden + wide)  # q and o; k and v; the three of the MLP
    return config["num_hidden_layers"] * rank * sides
