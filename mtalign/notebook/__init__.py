"""What the notebooks call: `start` opens a session on the runs of the parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pages": ["PARAMETERS"],
        "session": ["LITERALS", "Session", "readable", "start", "versions"],
    },
)
