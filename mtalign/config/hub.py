"""The Hugging Face Hub: whether it can be reached, and what params/hub.yaml says of models and tasks that are there."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies

import yaml

from mtalign.config import paths


@lru_cache
def reachable() -> bool:
    """Whether the Hub's name resolves, or a proxy is set that would; else libraries are told to use their caches."""
    host = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    if not offline and not getproxies():
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            offline = True
    if offline:
        import huggingface_hub.constants

        os.environ["HF_HUB_OFFLINE"] = "1"
        huggingface_hub.constants.HF_HUB_OFFLINE = True
    return not offline


@lru_cache
def listing() -> dict[str, dict[str, dict]]:
    """The models and tasks of params/hub.yaml."""
    return yaml.safe_load((paths.shared("params") / "hub.yaml").read_text(encoding="utf-8"))


def listed(model: str, task: str) -> bool:
    """Whether both are in params/hub.yaml."""
    return model in listing()["models"] and set(task.replace("+", ">").split(">")) <= set(listing()["tasks"])
