"""mtalign: for which model and task do the surprising claims about RL of language models hold?

The package is a house of wings, one folder each; a wing imports only wings of lower floors (tests/test_layout.py has the
list). `rewards`, `subsets` and `advantages` stand at the top: the three columns that the study varies.
"""

import lazy_loader

# What notebooks import by short names, `from mtalign import figures`; loaded when first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "claims": ["dose_response"],
        "diagnosis": ["contamination", "published"],
        "notebook": ["alt_text", "conclusions", "figures"],
    },
)
