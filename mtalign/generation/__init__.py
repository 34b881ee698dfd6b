"""Prompts -> completions, and what a model can do on the examples of a task."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "prompts": ["render"],
        "sampling": ["sample"],
    },
)
