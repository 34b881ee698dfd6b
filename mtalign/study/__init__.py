"""The whole way from a grid file to its report, and what can be asked of it: plan, rehearse, verify, compare."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pipeline": ["run_study"],
        "rehearsal": ["rehearse"],
    },
)
