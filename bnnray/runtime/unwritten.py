"""How long rows have waited for the disk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Unwritten:
    """The rows that a sink has and that are not known to be on disk, oldest first.

    Args:
        clock: seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken = 0
        self._came: deque[tuple[int, float]] = deque()

    def took(self, rows: int) -> None:
        """The sink has taken rows."""
        self._taken += rows
        self._came.append((self._taken, self._clock()))

    def written(self, unwritten: int) -> int:
        """How many rows are on disk.

        Args:
            unwritten: how many are not, as the sink says.
        """
        written = self._taken - unwritten
        while self._came and self._came[0][0] <= written:
            self._came.popleft()
        return written

    @property
    def lag(self) -> float:
        """Seconds since the oldest row came that was not on disk at the last look, or 0."""
        return self._clock() - self._came[0][1] if self._came else 0.0
