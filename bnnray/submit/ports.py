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
    begin = BLOCK * (job % BLOCKS)
    places = BLOCK * BLOCKS
    for offset in range(places):
        port = FIRST + (begin + offset) % places
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    print(*islice(free_ports(int(sys.argv[1])), int(sys.argv[2])))
