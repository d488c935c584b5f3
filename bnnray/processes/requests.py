"""What a nursery is asked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

Role = Callable[..., None]
"""What a forked process does: takes its connection and the arguments of the request."""


@dataclass(frozen=True, eq=False)
class Start:
    """Asks for a process; the connection that this came on is its own from then on.

    Args:
        role: called in the process; it ends when the role returns.
        arguments: of the role, after the connection.
        owner: process id of who asks; if that is itself a child of the nursery, the new process
            is killed when its owner ends.
    """

    role: Role
    arguments: tuple[Any, ...]
    owner: int


@dataclass(frozen=True)
class Kill:
    """Asks for the end of a process."""

    pid: int


@dataclass(frozen=True)
class Status:
    """Asks for the exit status of a process; None while it runs or if it is not known."""

    pid: int


def connect(address: str) -> Connection:
    """A connection to the nursery at a Unix socket.

    Raises:
        OSError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        return Connection(client.detach())
