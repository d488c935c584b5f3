"""The nursery's own process: python -m bnnray.processes.nurse ADDRESS MODULE..."""

from __future__ import annotations

import ctypes
import importlib
import os
import selectors
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from bnnray.processes.nursery import READY
from bnnray.processes.requests import Kill, Start, Status

BACKLOG = 512
REMEMBERED = 1000
"""Exit statuses that nobody asked for; more are forgotten, the oldest first."""


class Nurse:
    """Forks processes and reaps them; all in one thread."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._owners: dict[int, int] = {}
        self._statuses: dict[int, int] = {}
        self._woken, self._waker = socket.socketpair()
        self._libc = ctypes.CDLL(None)

    def serve(self) -> None:
        """Answers until standard input ends, which is when the nursery's holder does."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            for file in (sys.stdin.fileno(), self._listener.fileno(), self._woken.fileno()):
                selector.register(file, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._woken.fileno() in ready:
                    self._woken.recv(4096)
                self._reap()
                if sys.stdin.fileno() in ready:
                    return
                if self._listener.fileno() in ready:
                    self._answer()

    def _answer(self) -> None:
        accepted, _ = self._listener.accept()
        with Connection(accepted.detach()) as connection:
            try:
                request = connection.recv()
                if isinstance(request, Start):
                    self._start(connection, request)
                elif isinstance(request, Kill):
                    self._kill(request.pid)
                elif isinstance(request, Status):
                    connection.send(self._statuses.get(request.pid))
            except (EOFError, OSError):
                pass  # who asked is gone

    def _start(self, connection: Connection, request: Start) -> None:
        nurse = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._become(nurse)
                connection.send(os.getpid())
                request.role(connection, *request.arguments)
                code = 0
            finally:
                os._exit(code)
        self._owners[pid] = request.owner

    def _become(self, nurse: int) -> None:
        """Leaves everything of the nursery behind, and dies with it."""
        if sys.platform == "linux":
            pr_set_pdeathsig = 1
            self._libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
            if os.getppid() != nurse:
                os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for ours in (self._listener, self._woken, self._waker):
            ours.close()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):  # a solver that floods its output fills no disk
            os.dup2(nowhere, standard)

    def _kill(self, pid: int) -> None:
        if pid in self._owners:  # not reaped yet, so the number is still its own
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._owners:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            del self._owners[pid]
            self._statuses[pid] = status
            while len(self._statuses) > REMEMBERED:
                del self._statuses[next(iter(self._statuses))]
            for child in [c for c, owner in self._owners.items() if owner == pid]:
                os.kill(child, signal.SIGKILL)


def main(address: str, modules: Sequence[str]) -> None:
    """Loads, says that it is ready, and serves."""
    for name in modules:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(BACKLOG)
        nurse = Nurse(listener)
        os.write(sys.stdout.fileno(), READY)
        nurse.serve()
    shutil.rmtree(Path(address).parent, ignore_errors=True)  # nobody else is left to do it


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
