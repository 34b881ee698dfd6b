"""What a notebook's process has imported before it is forked: `kernels.context` names this module, nobody imports it.

It is imported once, in a process with a single thread; each notebook and each kernel then is a copy of that process and
starts in a tenth of a second instead of three. torch is left out: few notebooks need it.
"""

import os
import sys

SYS_PATH = [entry for entry in sys.path if entry]  # of a kernel that is started by itself
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else numpy starts threads, and what has threads cannot be forked
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as in a kernel; read at the import

import gc  # noqa: E402

import ipykernel.kernelapp  # noqa: E402, F401
import papermill  # noqa: E402, F401

from mtalign.notebook import conclusions, explore, figures, judged, session  # noqa: E402, F401
from mtalign.runs import pool, provenance  # noqa: E402, F401

gc.freeze()  # a collection in a copy would write to all that it shares
