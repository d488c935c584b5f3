"""How often a lease is rewritten, and how long it may stand still."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds, by this process' own monotonic clock.

    Args:
        renew: a holder rewrites its lease this often.
        stale: a lease that stood still for so long has no holder; a holder that could not
            rewrite its own for so long gives up.
    """

    renew: float = 10.0
    stale: float = 60.0

    @property
    def silence(self) -> float:
        """A living holder has rewritten its lease by then."""
        return 1.5 * self.renew

    @property
    def settle(self) -> float:
        """Longer than an observer needs between its last look and moving a file away."""
        return 0.1 * self.renew
