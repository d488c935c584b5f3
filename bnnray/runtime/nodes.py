"""Waiting for the nodes of a cluster before work is dealt out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bnnray.errors import SetupError

LOOK_SECONDS = 0.5


class Nodes(Protocol):
    """A cluster whose nodes come one after the other."""

    def nodes(self) -> int:
        """How many are there."""
        ...


@dataclass(frozen=True)
class NodeWait:
    """How many nodes a run waits for; those that come later join it all the same.

    Args:
        wanted: with so many it begins at once.
        fewest: with fewer it does not begin.
        seconds: how long it waits for the wanted ones.
    """

    wanted: int = 1
    fewest: int = 1
    seconds: float = 300.0


ONE_NODE = NodeWait()
"""Of any cluster: no wait."""


def wait_for_nodes(
    cluster: Nodes, wait: NodeWait, note: Callable[[str], None], check: Callable[[], None]
) -> None:
    """Waits until the wanted nodes are there, or the time is over and enough are.

    Args:
        cluster: it has a first node.
        wait: for how many, how long.
        note: told that fewer came.
        check: called at each look; what it raises ends the wait.

    Raises:
        SetupError: too few nodes came.
    """
    deadline = time.monotonic() + wait.seconds
    while (came := cluster.nodes()) < wait.wanted:
        check()
        if time.monotonic() >= deadline:
            return _begin_with(came, wait, note)
        time.sleep(LOOK_SECONDS)
    return None


def _begin_with(came: int, wait: NodeWait, note: Callable[[str], None]) -> None:
    if came < wait.fewest:
        raise SetupError(
            f"{came} of {wait.wanted} nodes came within {wait.seconds:g} s, and at least "
            f"{wait.fewest} are needed; see Ray's logs on the nodes, and run the same command again"
        )
    note(f"{came} of {wait.wanted} nodes came within {wait.seconds:g} s; it begins with them")
