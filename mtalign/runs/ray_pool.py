"""Runs as tasks of a Ray cluster: `mtalign study GRID --executor ray` (extra `mtalign[ray]`).

A task declares the GPUs and CPUs of the grid's `resources`, gets the records it needs, and returns its record, which the
driver writes: nodes need no common folder, but the same version of mtalign. A task whose node is lost is started again
elsewhere, three times at most; checkpoints are gone on from where the output folder is one that all nodes see.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.records.store import Records

RETRIES = 3  # of a task whose node or process is lost
THREADS = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


class RayPool:
    """A pool as `workers.complete` uses it, on the cluster at `address`.

    Args:
        address: as `ray start --head` prints it; by default RAY_ADDRESS, else a cluster that runs on this machine.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, resources: Resources, address: str | None = None):
        try:
            import ray
        except ImportError:
            raise ConfigError('--executor ray: Ray is not installed; pip install "mtalign[ray]"') from None
        address = address or os.environ.get("RAY_ADDRESS", "auto")
        last = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
        if address == "auto" and last.is_file():
            address = last.read_text().strip()  # of the last cluster on this machine, be it gone
        try:
            if address != "auto":  # Ray itself waits for minutes
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), timeout=10).close()
            env = THREADS | {key: os.environ[key] for key in ("PYTHONPATH", "MTALIGN_DATA") if key in os.environ}
            ray.init(
                address, runtime_env={"env_vars": env}, log_to_driver=False, logging_level="ERROR",
            )  # fmt: skip
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"--executor ray: no cluster at {address}: {error}; start one with `ray start --head`"
            ) from None
        self.ray = ray
        self.task = ray.remote(compute).options(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=RETRIES)
        needed = {"CPU": resources.cpus, "GPU": resources.gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(key, 0) >= number for key, number in needed.items()) for node in nodes):
            ray.shutdown()
            raise ConfigError(f"--executor ray: no node has the {needed} that `resources` asks for; there are {nodes}")

    def schedule(self, _function, args):
        """A `concurrent.futures.Future` of the run's record."""
        run, folder, resources, progress, fast = args
        records = Records(folder)
        needed = [(other, records.read(other)) for other in run.needs]
        out = str(Path(folder).resolve().parent)
        return self.task.remote(run, needed, resources, out, progress, fast).future()

    def close(self) -> None:
        """Nothing: all tasks are done."""

    def stop(self) -> None:
        """Leaves the cluster, which cancels this driver's tasks."""
        self.ray.shutdown()

    def join(self) -> None:
        """Leaves the cluster."""
        self.ray.shutdown()


def compute(
    run: Run, needed: list[tuple[Run, dict]], resources: Resources, out: str, progress: Path | None, fast: bool
) -> dict:
    """On a node: the run's record, of a failure too."""
    from mtalign.runs.execute import attempt
    from mtalign.runs.worker import quiet

    quiet()
    shared = Path(out)
    with tempfile.TemporaryDirectory() as folder:
        records = Records(Path(folder) / "records")
        records.prepare()
        for other, record in needed:
            records.write(other, record)
        seen = shared if shared.is_dir() else Path(folder)  # a folder that all nodes see keeps checkpoints
        return attempt(run, records, resources, progress if shared.is_dir() else None, seen, fast)
