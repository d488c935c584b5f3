"""The nursery: a small process that has loaded what others need and forks them on request.

A fork of it starts in milliseconds and shares the memory of all that is loaded; a fresh
interpreter takes a second of CPU time and its own copy. The nursery itself has one thread and
computes nothing, so forking it is safe whatever its children do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from bnnray.errors import ProcessError
from bnnray.processes.requests import Status, connect

START_SECONDS = 300.0
"""On a cluster, hundreds of nodes may read the same packages from one file server at a time."""

PREFIX, SOCKET = "bnnray-", "socket"
SHORT_FOLDER = "/tmp"
LONGEST_ADDRESS = 100
"""Of a Unix socket; systems admit 104 to 108 bytes."""

ANSWER_SECONDS = 30.0
"""How long a nursery may take to answer before it is replaced, with all that it forked."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
READY = b"ready\n"


class Nursery:
    """Starts and holds a nursery; every process that it forked ends with it.

    Args:
        modules: loaded before the first fork.
        threads: that a linear algebra library of a forked process may use.
    """

    def __init__(self, modules: Sequence[str] = (), threads: int = 1) -> None:
        self._modules = tuple(modules)
        self._threads = threads
        _sweep()
        self._folder = _short_folder()
        self._held = contextlib.ExitStack()
        with contextlib.suppress(OSError):  # where nothing can be locked nothing is swept either
            self._held.enter_context(_hold(self._folder))
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.address = str(self._folder / SOCKET)

    def ready(self) -> str:
        """Its address, after seeing to it that it answers there.

        Raises:
            ProcessError: it does not start, or was closed.
        """
        with self._lock:
            if self._process is None or not self._answers(self._process):
                self._start()
        return self.address

    def close(self) -> None:
        """Ends the nursery and every process that it forked."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # before the lock: another thread may wait for its start
        with self._lock:
            self._end()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._held.close()

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """One that is stopped would let everybody wait."""
        if process.poll() is not None:
            return False
        try:
            with connect(self.address, ANSWER_SECONDS) as nursery:
                nursery.send(Status(0))
                nursery.recv()
        except (EOFError, OSError):
            return False
        return True

    def _start(self) -> None:
        self._end()
        Path(self.address).unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bnnray.processes.nurse", self.address, *self._modules],
            stdin=subprocess.PIPE,  # its end of file tells the nursery that we are gone
            stdout=subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self._threads))},
            start_new_session=True,  # the terminal's Ctrl-C is for the driver alone
        )
        if self._closed or not self._comes_up(self._process):
            self._end()
            raise ProcessError(
                "the run is ending: no process is started any more"
                if self._closed
                else "the process that starts the slots' processes did not come up; try: "
                f"{sys.executable} -c 'import {', '.join(self._modules or ('bnnray',))}'"
            )

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        timer = threading.Timer(START_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        said = process.stdout.readline()
        timer.cancel()
        return said == READY

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None


def _sweep() -> None:
    """Removes what holders left behind that were killed together with their nurseries."""
    for folder in {tempfile.gettempdir(), SHORT_FOLDER}:
        for address in Path(folder).glob(f"{PREFIX}*/{SOCKET}"):
            with contextlib.suppress(OSError), _hold(address.parent):
                shutil.rmtree(address.parent, ignore_errors=True)


def _short_folder() -> Path:
    """A folder of our own whose sockets have addresses that are short enough."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if len(os.fsencode(folder / SOCKET)) <= LONGEST_ADDRESS:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHORT_FOLDER))


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Locks a folder, at most until this process dies.

    That nobody listens at a socket is no sign of its holder's death: it may be about to replace a
    nursery that died.

    Raises:
        OSError: it is held, belongs to somebody else, or lies where nothing can be locked.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
