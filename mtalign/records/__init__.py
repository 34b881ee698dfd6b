"""The evidence: one JSON file for each run, and tidy tables of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "store": ["Records", "checksum"],
        "tables": ["accuracies", "complete_arms", "curves", "frame", "grouped", "metrics_of", "truths", "votes"],
    },
)
