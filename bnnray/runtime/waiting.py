"""The units that wait for a slot, and which of them a keeper gets next."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bnnray.attacks import attack_type
from bnnray.job import Unit, searches
from bnnray.runtime.cluster import GPU, Place, Shard

SHORT_SECONDS = 2.0
"""Units with cutoffs up to this share a shard, so that handing out costs little."""

LARGEST_SHARD = 16


ATTEMPTS = 3
"""How often a unit is tried under which workers die."""


@dataclass(frozen=True, eq=False)
class Ticket:
    """A shard, and what is known about where it may run.

    Args:
        shard: one unit, unless this is its first attempt.
        avoid: nodes on which it died.
        suspect: whether a whole keeper died under it.
    """

    shard: Shard
    avoid: frozenset[str] = frozenset()
    suspect: bool = False

    @property
    def licensed(self) -> bool:
        """Whether its units may need a licence."""
        return self.shard.units[0].attack.licensed

    @property
    def alone(self) -> bool:
        """Whether it must not share a keeper, so that its last attempt harms no other unit, and
        no other unit harms it."""
        return self.suspect and self.shard.attempt == ATTEMPTS

    def again(self, unit: Unit, node: str, keeper_lost: bool) -> Ticket | None:
        """For the next attempt of one of its units, which died; None after the last one.

        A last attempt that ended with a keeper that others shared does not count.
        """
        if self.shard.attempt == ATTEMPTS and (self.alone or not keeper_lost):
            return None
        return Ticket(
            Shard((unit,), min(self.shard.attempt + 1, ATTEMPTS)),
            self.avoid | {node},
            self.suspect or keeper_lost,
        )


@dataclass(frozen=True)
class Offer:
    """A keeper with room.

    Args:
        place: the keeper.
        slots: of all keepers of its pool.
        gpu: whether a keeper on a GPU takes the batched attacks.
        empty: whether nothing is in flight to it.
        licence: whether a licence is free for a unit that may need one.
    """

    place: Place
    slots: int
    gpu: bool
    empty: bool
    licence: bool

    def takes(self, unit: Unit) -> bool:
        """Whether the unit may run there."""
        return is_batched(unit) in self.kinds and (self.licence or not unit.attack.licensed)

    @property
    def kinds(self) -> Collection[bool]:
        """Whether it takes batched attacks (True), others (False), or both."""
        if self.place.pool == GPU:
            return (True,)
        return (False,) if self.gpu else (False, True)


class Waiting:
    """Units that wait: first those to be tried again, then those that were handed out and had not
    begun, then those with the longest cutoffs.

    Units that must wait for a licence hold up no others. Where licences are counted, those that
    need one come before others while one is free, as they would end last.

    Args:
        units: to run.
        counted: whether the licences are.
    """

    def __init__(self, units: Sequence[Unit], *, counted: bool = False) -> None:
        self._new = {
            needs: Queue([unit for unit in units if _needs(unit) == needs])
            for needs in itertools.product((False, True), repeat=2)
        }
        self._counted = counted
        self._retries: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._retries) + sum(len(queue) for queue in self._new.values())

    @property
    def licensed(self) -> bool:
        """Whether a unit waits that may need a licence."""
        queues = (queue for (_, licensed), queue in self._new.items() if licensed)
        return any(queues) or any(ticket.licensed for ticket in self._retries)

    def again(self, ticket: Ticket) -> None:
        """Takes a unit back."""
        self._retries.append(ticket)

    def put_back(self, ticket: Ticket, units: Sequence[Unit]) -> None:
        """Takes units of a ticket back that had not begun: it is as if they were never handed
        out, but that they come before others."""
        if units and ticket.shard.attempt > 1:
            self._retries.insert(0, ticket)
        elif units:
            self._new[_needs(units[0])].put_back(units)

    def suits(self, place: Place) -> bool:
        """Whether a keeper can run anything that waits, if need be without the others."""
        batched = [queue for needs, queue in self._new.items() if needs[0]]
        return place.pool != GPU or any(batched) or any(map(_is_batched, self._retries))

    def take(self, offer: Offer) -> Ticket | None:
        """What this keeper gets, if there is anything for it.

        A unit that died goes to another node while there is other work for this one. One that
        must be alone comes last, when the keepers run empty anyway.
        """
        here = [t for t in self._retries if offer.takes(t.shard.units[0])]
        elsewhere = [t for t in here if offer.place.node not in t.avoid]
        return (
            self._retry(t for t in elsewhere if not t.alone)
            or self._first(offer)
            or self._retry(t for t in here if not t.alone)
            or (self._retry([*elsewhere, *here]) if offer.empty else None)
        )

    def _retry(self, fitting: Iterable[Ticket]) -> Ticket | None:
        chosen = next(iter(fitting), None)
        if chosen is not None:
            self._retries.remove(chosen)
        return chosen

    def _first(self, offer: Offer) -> Ticket | None:
        queues = [
            (self._counted and licensed, queue)
            for (batched, licensed), queue in self._new.items()
            if queue and batched in offer.kinds and (offer.licence or not licensed)
        ]
        if not queues:
            return None
        _, queue = max(queues, key=lambda found: (found[0], found[1].longest))
        left = sum(len(queue) for _, queue in queues)
        largest = LARGEST_SHARD if offer.place.pool == GPU else shard_size(left, offer.slots)
        return Ticket(Shard(queue.take(largest)))


class Queue:
    """Units that have not been tried, the longest cutoffs first.

    Args:
        units: of any attacks.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        found = sorted(searches(units), key=lambda search: -search[0].attack.time_limit)
        self._searches = deque(deque(search) for search in found)
        self._left = len(units)

    def __len__(self) -> int:
        return self._left

    @property
    def longest(self) -> float:
        """Cutoff of the next unit in seconds; 0 without one."""
        return self._searches[0][0].attack.time_limit if self._searches else 0.0

    def put_back(self, units: Sequence[Unit]) -> None:
        """Takes units of one search back to the front."""
        self._searches.appendleft(deque(units))
        self._left += len(units)

    def take(self, largest: int) -> tuple[Unit, ...]:
        """Takes units of one search off the queue: one, or up to ``largest`` short or batched."""
        search = self._searches[0]
        size = min(len(search), largest) if _share(search[0]) else 1
        taken = tuple(search.popleft() for _ in range(size))
        if not search:
            self._searches.popleft()
        self._left -= size
        return taken


def shard_size(left: int, slots: int) -> int:
    """How many units a shard may hold: less and less, so that all slots end together."""
    return max(1, min(LARGEST_SHARD, math.ceil(left / (2 * slots))))


def is_batched(unit: Unit) -> bool:
    """Whether the unit's attack searches several questions together."""
    return attack_type(unit.attack.kind).batched


def _needs(unit: Unit) -> tuple[bool, bool]:
    """Whether it is batched, and whether it may need a licence."""
    return is_batched(unit), unit.attack.licensed


def _is_batched(ticket: Ticket) -> bool:
    return is_batched(ticket.shard.units[0])


def _share(unit: Unit) -> bool:
    return is_batched(unit) or unit.attack.time_limit <= SHORT_SECONDS
