"""Waiting for nodes: all, or enough when the time is over."""

from __future__ import annotations

import itertools

import pytest

from bnnray.errors import Interrupted, SetupError
from bnnray.runtime import NodeWait, nodes
from bnnray.runtime.nodes import wait_for_nodes


class Growing:
    """A cluster that has one node more at each look, up to a number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._looks = itertools.count(1)

    def nodes(self) -> int:
        return min(self._most, next(self._looks))


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(nodes, "LOOK_SECONDS", 0.01)


def test_it_begins_when_the_wanted_nodes_are_there():
    said: list[str] = []
    wait_for_nodes(Growing(3), NodeWait(3, 3, 60), said.append, lambda: None)
    assert said == []


def test_it_begins_with_those_that_came():
    said: list[str] = []
    wait_for_nodes(Growing(3), NodeWait(4, 2, 0.2), said.append, lambda: None)
    assert said == ["3 of 4 nodes came within 0.2 s; it begins with them"]


def test_too_few_nodes_end_the_run():
    with pytest.raises(SetupError, match=r"2 of 4 nodes came within 0.2 s, and at least 3 are"):
        wait_for_nodes(Growing(2), NodeWait(4, 3, 0.2), print, lambda: None)


def test_a_signal_ends_the_wait():
    def interrupted() -> None:
        raise Interrupted("now")

    with pytest.raises(Interrupted):
        wait_for_nodes(Growing(2), NodeWait(4, 3, 60), print, interrupted)
