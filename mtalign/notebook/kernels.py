"""Kernels that are forked from a process with all imports done, by the way that jupyter_client has for starting kernels.

One server (`multiprocessing`'s forkserver) imports `preloaded`. Each notebook has a process forked from it, and that process,
while it has a single thread, forks another which waits to become its kernel: no kernel sees what another did. Wherever this
cannot be, a kernel is started as always: macOS's libraries do not survive a fork, and a kernel named python3 may be
another Python.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from importlib.metadata import EntryPoint
from multiprocessing.connection import Connection
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from mtalign.runs.worker import end_with_parent, unheard

PRELOADED = "mtalign.notebook.preloaded"
FORKS = sys.platform == "linux"  # on macOS, Accelerate and Objective-C end a process that was forked after their import
NAME = "mtalign-forked"
_waiting: list[Waiting] = []  # at most one: the process that is to be the kernel of this process's notebook


def context() -> multiprocessing.context.BaseContext:
    """How processes of notebooks are started; the server begins to import when the first of them is, or by `begin`."""
    if not FORKS:
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([PRELOADED])
    return found


def begin() -> None:
    """Lets the server import while other work is done."""
    if FORKS:
        from multiprocessing import forkserver

        context()
        with unheard():
            forkserver.ensure_running()


class Waiting:
    """A copy of this process that becomes a kernel when it is told how."""

    stdin = stdout = stderr = None  # what `LocalProvisioner` closes

    def __init__(self):
        self.say, listen = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=_become_kernel, args=(listen,))
        self.process.start()
        listen.close()
        self.pid, self.kill, self.terminate = self.process.pid, self.process.kill, self.process.terminate

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class ForkedKernel(LocalProvisioner):
    """Starts a kernel from the process that waits for it; as `LocalProvisioner` does where none waits or it cannot be."""

    async def launch_kernel(self, cmd: list[str], **kwargs):
        python = os.path.realpath(cmd[0]) == os.path.realpath(sys.executable)
        if not (_waiting and python and "ipykernel_launcher" in cmd):
            return await super().launch_kernel(cmd, **kwargs)
        self.process = _waiting.pop()
        self.cwd = kwargs.get("cwd") or Path.cwd()
        self.process.say.send((cmd[cmd.index("ipykernel_launcher") + 1 :], kwargs["env"], str(self.cwd)))
        self.pid = self.pgid = self.process.pid  # it makes a group of its own
        return self.connection_info


def fork() -> Waiting | None:
    """In a process that was forked from the server and has no threads yet: the process that will be its kernel.

    Whoever calls must `kill` it at the end. Elsewhere nothing is forked.
    """
    if PRELOADED not in sys.modules:
        return None
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:{ForkedKernel.__name__}", factory.GROUP_NAME)
    factory.default_provisioner_name = NAME
    _waiting[:] = [Waiting()]
    return _waiting[0]


def _become_kernel(listen: Connection) -> None:
    from ipykernel.kernelapp import IPKernelApp

    from mtalign.notebook.preloaded import SYS_PATH

    os.setsid()
    end_with_parent()
    arguments, env, folder = listen.recv()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path[:], sys.argv[:] = SYS_PATH, ["ipykernel_launcher", *arguments]
    IPKernelApp.launch_instance(arguments, parent_handle=os.getppid())
