"""The nursery's own process: python -m bnnray.processes.nurse ADDRESS MODULE..."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import os
import secrets
import selectors
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bnnray.processes.last_words import LastWords
from bnnray.processes.nursery import READY
from bnnray.processes.requests import Death, Kill, Start, Status, limit_blocking

BACKLOG = 512
REQUEST_SECONDS = 2.0
"""How long a request may take that has begun; the nursery answers one at a time."""

REMEMBERED = 1000
"""Deaths that nobody asked for; more are forgotten, the oldest first."""


class Nurse:
    """Forks processes and reaps them; all in one thread."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._children: dict[int, _Child] = {}
        # from a random one on, as a nursery that replaces another must not know its numbers
        self._numbers = itertools.count(secrets.randbits(60))
        self._deaths: dict[int, Death] = {}
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
        with self._listener.accept()[0] as accepted:
            limit_blocking(accepted, REQUEST_SECONDS)
            with Connection(os.dup(accepted.fileno())) as connection:
                try:
                    self._obey(connection.recv(), connection, accepted)
                except Exception:
                    return  # who asked is gone, or asked what cannot be had

    def _obey(self, request: object, connection: Connection, end: socket.socket) -> None:
        match request:
            case Start():
                limit_blocking(end, 0)
                self._start(connection, end, request)
            case Kill(number):
                self._kill(number)
            case Status(number):
                connection.send(self._deaths.get(number))

    def _start(self, connection: Connection, end: socket.socket, request: Start) -> None:
        nurse, number, words = os.getpid(), next(self._numbers), LastWords()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._become(nurse, words)
                end.close()  # the connection is a copy of it, and must be the only one
                connection.send((os.getpid(), number))
                request.role(connection, *request.arguments)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        words.leave()
        self._children[pid] = _Child(number, request.owner, words)

    def _become(self, nurse: int, words: LastWords) -> None:
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
        for sibling in self._children.values():
            sibling.words.close()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1):  # a solver that floods its output fills no disk
            os.dup2(nowhere, standard)
        words.take()

    def _kill(self, number: int) -> None:
        for pid, child in self._children.items():
            if child.number == number:  # not reaped yet, so the pid is still its own
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._note(self._children.pop(pid), status)
            for orphan in [p for p, child in self._children.items() if child.owner == pid]:
                os.kill(orphan, signal.SIGKILL)

    def _note(self, child: _Child, status: int) -> None:
        self._deaths[child.number] = Death(status, child.words.read())
        child.words.close()
        while len(self._deaths) > REMEMBERED:
            del self._deaths[next(iter(self._deaths))]


@dataclass(frozen=True)
class _Child:
    """A forked process: its number, the process id of who asked for it, and what it says."""

    number: int
    owner: int
    words: LastWords


def main(address: str, modules: Sequence[str]) -> None:
    """Loads, says that it is ready, and serves; leaves nothing behind when its holder is gone."""
    try:
        for name in modules:
            importlib.import_module(name)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(BACKLOG)
            os.write(sys.stdout.fileno(), READY)
            Nurse(listener).serve()
    except BrokenPipeError:
        pass  # the holder is gone already
    shutil.rmtree(Path(address).parent, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    os._exit(0)  # at once: what it forked ends with it
