"""What processes of the tests do; a module of its own, as a nursery imports it."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from multiprocessing.connection import Connection

from bnnray.processes import Process


def echo(connection: Connection, word: str) -> None:
    """Says its word and its threads' limit; obeys "exit", "fail", "spin" and "return"."""
    while True:
        match connection.recv():
            case "exit":
                os._exit(7)
            case "fail":
                raise ValueError("never seen")
            case "segfault":
                ctypes.string_at(0)
            case "hang up":
                connection.close()
                time.sleep(3600)
            case "flood":
                for _ in range(1000):
                    os.write(1, b"x" * 100_000)
                    os.write(2, b"x" * 100_000)
                connection.send("flooded")
            case "spin":
                hold_the_interpreter()
            case "return":
                return
            case "threads":
                connection.send((threading.active_count(), os.environ["OMP_NUM_THREADS"]))
            case _:
                connection.send((word, os.getpid()))


def parent(connection: Connection, nursery: str) -> None:
    """Has a process of its own, and says which."""
    process = Process(nursery, echo, "grandchild")
    connection.send(process.pid)
    time.sleep(3600)


def hold_the_interpreter() -> None:
    """A busy loop in compiled code that never lets another thread of Python run."""
    library = ctypes.PyDLL(None)
    while True:
        library.usleep(10_000_000)
