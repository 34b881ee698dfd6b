"""Executed notebooks and records -> a static site."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "site": ["make_report"],
        "index": ["contents"],
    },
)
