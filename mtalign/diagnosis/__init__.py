"""A reader's own model and task: how aligned they are, what to expect, and whether samples or memory say so too."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["in_words", "page"],
        "sample_logs": ["read"],
    },
)
