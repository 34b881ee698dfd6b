"""A reader's own model and task: how aligned they are, what to expect, and whether samples or memory say so too."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card_page": ["page"],
        "sample_logs": ["read"],
        "words": ["in_words"],
    },
)
