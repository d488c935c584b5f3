"""What a nursery is asked, and how."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

Role = Callable[..., None]
"""What a forked process does: takes its connection and the arguments of the request."""

TALK_SECONDS = 60.0
"""How long a message to or from a process may take once it has begun; then the process counts as
dead, as one that is stopped in the middle of a message does."""


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
    """Asks for the end of a process.

    Args:
        number: that the nursery gave it; unlike process ids, these are never used again.
    """

    number: int


@dataclass(frozen=True)
class Status:
    """Asks how a process ended; None while it runs or if it is not known."""

    number: int


@dataclass(frozen=True)
class Death:
    """How a process ended.

    Args:
        status: as the system gives it.
        words: the last that it wrote to standard error.
    """

    status: int
    words: str


def connect(address: str, seconds: float = TALK_SECONDS) -> Connection:
    """A connection to the nursery at a Unix socket.

    Args:
        address: of the socket.
        seconds: that sending or receiving may block before it is an OSError.

    Raises:
        OSError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds)
        client.connect(address)
        client.settimeout(None)
        limit_blocking(client, seconds)
        return Connection(client.detach())


def limit_blocking(end: socket.socket, seconds: float) -> None:
    """Makes sending and receiving fail that block for so long; 0 for ever."""
    timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        end.setsockopt(socket.SOL_SOCKET, option, timeout)
