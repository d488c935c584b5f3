"""Ports that nobody on this machine has: ``python -m bnnray.submit.ports SLURM_JOB COUNT``."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from itertools import islice

FIRST, BLOCKS, BLOCK = 20_000, 1_000, 10
"""Between the ports of Ray's defaults and those that systems give out by themselves."""


def free_ports(job: int) -> Iterator[int]:
    """Free TCP ports, from a number on that few jobs share.

    Args:
        job: number of the Slurm job.
    """
    begin = first_port(job) - FIRST
    places = BLOCK * BLOCKS
    for offset in range(places):
        port = FIRST + (begin + offset) % places
        if is_free(port):
            yield port


def first_port(job: int) -> int:
    """Where a Slurm job's own block begins."""
    return FIRST + BLOCK * (job % BLOCKS)


def is_free(port: int) -> bool:
    """Whether nobody on this machine has a TCP port."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    print(*islice(free_ports(int(sys.argv[1])), int(sys.argv[2])))
