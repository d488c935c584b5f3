"""What a keeper and the process of a slot say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bnnray.results import Record
from bnnray.runtime.cluster import Shard
from bnnray.runtime.context import RunContext
from bnnray.threat import Witness
from bnnray.verdicts import Proof


@dataclass(frozen=True, eq=False)
class Errand:
    """To the slot: a shard, and the images that it is about; the networks are there already."""

    shard: Shard
    context: RunContext


@dataclass(frozen=True)
class Begun:
    """From the slot: the clocks of these units run, by their keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NewIncumbent:
    """From the slot: the best perturbed input of a unit so far."""

    key: str
    witness: Witness


@dataclass(frozen=True)
class NewBound:
    """From the slot: a bound that a unit has proven."""

    key: str
    bound: Fraction
    proof: Proof


@dataclass(frozen=True, eq=False)
class Ended:
    """From the slot: the units that had begun have ended."""

    records: Sequence[Record]


Message = Begun | NewIncumbent | NewBound | Ended
