"""What is climbed from one clean input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bnnray.network import IntArray
from bnnray.threat import Question


class SumRange(Protocol):
    """The sums that the units of one hidden layer can take within the budget."""

    @property
    def lower(self) -> IntArray:
        """(units,), of row . input: numerators for the first layer, signs for the others."""
        ...

    @property
    def upper(self) -> IntArray:
        """(units,)."""
        ...

    @property
    def settled(self) -> IntArray:
        """(units,): +1 or -1 where the sign cannot change, else 0."""
        ...


@dataclass(frozen=True, eq=False)
class Point:
    """A question and the seed of what is random in its climb.

    Args:
        question: what is asked.
        seed: any integer.
        ranges: of every hidden layer, first to last.
    """

    question: Question
    seed: int
    ranges: Sequence[SumRange]
