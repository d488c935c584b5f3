"""How many units hold a licence of Gurobi, and when the next one may ask for one.

They are counted here, in the one process that hands out all work, so that it is the same with Ray
and without. What a lost keeper held comes back with its shards.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken
from bnnray.runtime.cluster import ShardDone

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds for which nobody asks again after a refusal; they double each time."""

AWAY_SECONDS = 600.0
"""How long a run goes on that can do nothing else, while the licence server does not answer."""


def _tell_nobody(_text: str) -> None:
    pass


class Licences:
    """The licences of a run.

    Args:
        tokens: how many may be held at a time; None for any number.
        note: told when units begin to wait for one.
        clock: seconds since some moment.

    Attributes:
        tokens: as given.
        refused: how many shards were put off for want of one.
    """

    def __init__(
        self,
        tokens: int | None = None,
        note: Callable[[str], None] = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tokens = tokens
        self.refused = 0
        self._note = note
        self._clock = clock
        self._held = 0
        self._delay = 0.0
        self._until = clock()
        self._away_since: float | None = None
        self._reason = ""

    @property
    def free(self) -> bool:
        """Whether a shard that needs one may be handed out now."""
        return self._clock() >= self._until and (self.tokens is None or self._held < self.tokens)

    def scarcer_than(self, slots: int) -> bool:
        """Whether there are fewer than slots that could use them."""
        return self.tokens is not None and self.tokens < slots

    def hold(self) -> None:
        """A shard that needs one was handed out."""
        self._held += 1

    def took(self, done: ShardDone) -> None:
        """A shard that needs one came back."""
        self._held -= 1
        if done.refusal is not None:
            self._refuse(done.refusal)
        elif done.records:
            self._delay, self._away_since = 0.0, None

    def check(self) -> None:
        """Looks whether anything can go on, while nothing runs.

        Raises:
            LicenceError: the licence server has not answered for too long.
        """
        if self._away_since is not None and self._clock() - self._away_since >= AWAY_SECONDS:
            raise LicenceError(
                f"no licence for {AWAY_SECONDS:.0f} s: {self._reason}; and run the same command "
                "again"
            )

    def _refuse(self, refusal: LicenceTaken) -> None:
        self.refused += 1
        self._reason = str(refusal)
        self._note_away(isinstance(refusal, LicenceServerAway))
        if self._clock() >= self._until:  # else it had asked before, and says nothing new
            self._wait()

    def _note_away(self, away: bool) -> None:
        if not away:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = self._clock()

    def _wait(self) -> None:
        """Somewhat less than the delay, by chance, so that runs do not ask in step."""
        if not self._delay:
            self._note(f"units wait for a licence: {self._reason}")
        self._delay = min(2 * self._delay, LONGEST_DELAY) or FIRST_DELAY
        self._until = self._clock() + random.uniform(0.5, 1.0) * self._delay
