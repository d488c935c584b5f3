"""What processes of the tests do; a module of its own, as a nursery imports it."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from multiprocessing.connection import Connection

from bnnray.processes import Process, forget_words


def echo(connection: Connection, word: str) -> None:
    """Says its word and its threads' limit; obeys "exit", "fail", "spin" and "return"."""
    while True:
        match connection.recv():
            case "forget":
                forget_words()
                connection.send("forgotten")
            case "exit":
                os._exit(7)
            case "fail":
                raise ValueError("as told")
            case "abort":
                ctypes.CDLL(None).write(2, b"bad luck\n", 9)
                os.abort()
            case "segfault":
                ctypes.string_at(0)
            case "hang up":
                connection.close()
                time.sleep(3600)
            case "flood":
                library = ctypes.CDLL(None)
                for _ in range(1000):
                    for output in (1, 2):
                        library.write(output, b"x" * 100_000, 100_000)
                    print("x" * 100_000, file=sys.stderr)
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
