"""mtalign: for which model and task do the surprising claims about RL of language models hold?

The package is a house of wings, one folder each; a wing imports only wings of lower floors (tests/test_layout.py has the
list). `rewards`, `subsets` and `advantages` stand at the top: the three columns that the study varies.
"""

import os
from importlib import import_module

# Threads that wait for each other sleep. They would spin, and on a busy machine keep each other from the cores: sampling took
# six times as long. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_WINGS = {  # what notebooks import by its short name, `from mtalign import figures`, and the wing it lives in
    "alt_text": "notebook", "conclusions": "notebook", "figures": "notebook", "judged": "notebook", "dose_response": "claims", "levels": "claims", "level_errors": "claims", "level_runs": "claims", "level_thresholds": "claims", "between_levels": "claims", "map_predictions": "claims",
    "contamination": "diagnosis", "published": "diagnosis",
}  # fmt: skip


def __getattr__(name: str):
    if name in _WINGS:
        return import_module(f"mtalign.{_WINGS[name]}.{name}")
    raise AttributeError(f"module 'mtalign' has no attribute {name!r}")
