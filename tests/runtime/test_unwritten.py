"""The age of rows that are not on disk."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnnray.runtime.unwritten import Unwritten


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_oldest_row_counts():
    clock = Clock()
    rows = Unwritten(clock)
    assert (rows.written(0), rows.lag) == (0, 0)
    rows.took(3)
    clock.now = 2
    rows.took(4)
    clock.now = 5
    assert (rows.written(7), rows.lag) == (0, 5)
    assert (rows.written(4), rows.lag) == (3, 3)
    assert (rows.written(1), rows.lag) == (6, 3), "a row of the second four is not on disk"
    assert (rows.written(0), rows.lag) == (7, 0)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), max_size=30))
def test_it_is_as_if_each_row_had_been_kept(steps):
    clock = Clock()
    rows, kept = Unwritten(clock), deque[float]()
    for came, gone in steps:
        clock.now += 1
        rows.took(came)
        kept.extend([clock.now] * came)
        clock.now += 1
        for _ in range(min(gone, len(kept))):
            kept.popleft()
        rows.written(len(kept))
        assert rows.lag == pytest.approx(clock.now - kept[0] if kept else 0)
