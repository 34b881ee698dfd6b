"""Runs on a real Ray cluster of two nodes on loopback, one of which is killed in the middle."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
import yaml

from mtalign.config import paths
from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.runs.pool import complete

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason='needs pip install "mtalign[ray]"'),
]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Cluster:
    """Nodes of one CPU each, as process groups that can be killed."""

    def __init__(self, folder):
        self.port, self.folder, self.nodes = free_port(), folder, []
        self.address = f"127.0.0.1:{self.port}"
        self.node("--head", f"--port={self.port}", "--include-dashboard=false")

    def node(self, *arguments):
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        command += [
            "--node-ip-address=127.0.0.1",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
            *arguments,
        ]
        log = (self.folder / f"node{len(self.nodes)}.log").open("wb")
        environment = os.environ | {"RAY_TMPDIR": "/tmp", "OMP_NUM_THREADS": "1"}
        self.nodes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment))
        return self.nodes[-1]

    def joined(self):
        """A second node that is up; on a busy machine Ray may give up starting it, and it is started again."""
        node = self.node(f"--address={self.address}")
        while node.poll() is None:
            if alive(self.address) == 2:
                return node
        return None

    def kill(self, node):
        """A lost machine: the node and all that it started."""
        import psutil

        parent = psutil.Process(node.pid)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    for node in made.nodes:
        if node.poll() is None:
            made.kill(node)


def wait_for(condition, seconds=600, pause=0.5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain")


def alive(address):
    code = f"import ray; ray.init('{address}', logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    return int(done.stdout or 0)


def test_a_node_lost_in_the_middle_costs_its_runs_alone_and_records_equal_those_of_this_machine(cluster, tmp_path):
    grid = yaml.safe_load((paths.shared("params") / "tiny.yaml").read_text())
    grid["grid"] |= {"seed": [0, 1, 2]}
    grid["fixed"] |= {"max_steps": 40}
    grid["notebooks"] = {}
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(grid))
    wait_for(lambda: alive(cluster.address) == 1)
    second = wait_for(cluster.joined)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mtalign", "study", str(file), "--out", str(out), "--executor", "ray"]
    environment = os.environ | {"RAY_ADDRESS": cluster.address}
    with open(tmp_path / "study.log", "wb") as log:
        study = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    trained = wait_for(lambda: len(found := list((out / "progress").glob("[!.]*"))) == 2 and found, pause=0.05)
    assert not any((out / "records" / f"{path.name}.json").exists() for path in trained)
    cluster.kill(second)  # both nodes are in the middle of a run
    assert study.wait(timeout=900) == 0, (tmp_path / "study.log").read_text()[-3000:]
    runs, here = open_grid(file).runs, Records(tmp_path / "here")
    complete(runs, here, workers=1)
    there = Records(out / "records")
    assert len(runs) == 7 and all(here.read(r)["checksum"] == there.read(r)["checksum"] for r in runs)


@pytest.mark.parametrize("known", ["RAY_ADDRESS", "left behind"])
def test_no_cluster_is_one_clear_line_at_once(tmp_path, known):
    command = [sys.executable, "-m", "mtalign", "study", str(paths.shared("params") / "tiny.yaml"), "--executor", "ray"]
    gone = f"127.0.0.1:{free_port()}"
    environment = os.environ | ({"RAY_ADDRESS": gone} if known == "RAY_ADDRESS" else {"RAY_TMPDIR": str(tmp_path)})
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(gone)
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "o")], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 2 and "--executor ray: no cluster" in done.stderr


SRUN = """#!/bin/bash
while [[ "$1" == -* ]]; do shift; done
exec "$@"
"""


@pytest.mark.parametrize("ray_starts", [True, False])
def test_the_slurm_script_ends_with_0_only_where_the_study_ended(tmp_path, ray_starts):
    """On one node, with stand-ins for srun and scontrol, which there are on a cluster alone."""
    commands = {"srun": SRUN, "scontrol": "#!/bin/sh\necho 127.0.0.1\n"}
    commands["mtalign"] = f'#!/bin/sh\nexec "{sys.executable}" -m mtalign "$@"\n'
    fails = "" if ray_starts else '[ "$1" = start ] && exit 1\n'  # as on a machine that is too busy
    commands["ray"] = f'#!/bin/sh\n{fails}exec "{sys.executable}" -m ray.scripts.scripts "$@"\n'
    for name, text in commands.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment |= {"SLURM_JOB_NODELIST": "one", "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "1"}
    command = ["bash", str(paths.shared("params") / "slurm.sh"), str(paths.shared("params") / "tiny.yaml")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=environment, capture_output=True, text=True, timeout=1800
    )
    assert (done.returncode == 0) == ray_starts == (tmp_path / "out" / "index.html").exists(), done.stdout[-3000:]
