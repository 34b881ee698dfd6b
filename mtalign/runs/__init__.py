"""Runs -> records: one run, many in worker processes, training spread over processes, a cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pool": ["complete"],
        "progress": ["status"],
        "provenance": ["provenance"],
    },
)
