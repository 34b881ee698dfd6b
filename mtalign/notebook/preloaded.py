"""What a notebook's process has imported before it is forked: `kernels.context` names this module, nobody imports it.

It is imported once, in a process with a single thread; each notebook and each kernel then is a copy of that process and
starts in a tenth of a second instead of five. trl is left out: it is needed where a notebook trains, and then in workers.
"""

import os
import sys

SYS_PATH = [entry for entry in sys.path if entry]  # of a kernel that is started by itself
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else numpy starts threads, and what has threads is not to be forked
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # else pyarrow does
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as in a kernel; read at the import

import gc  # noqa: E402

import ipykernel.kernelapp  # noqa: E402, F401
import pandas as pd  # noqa: E402
import papermill  # noqa: E402, F401
import torch  # noqa: E402, F401 (each notebook says its version and the device)

from mtalign.notebook import conclusions, explore, figures, judged, session  # noqa: E402, F401
from mtalign.runs import pool, provenance  # noqa: E402, F401

pd.options.display.max_columns = 20  # pandas' default in a notebook; while there is none it takes that of a terminal
for name in ("tqdm.auto", "tqdm.autonotebook"):  # they choose a bar when they are imported: in a notebook, another
    sys.modules.pop(name, None)
gc.freeze()  # a collection in a copy would write to all that it shares
