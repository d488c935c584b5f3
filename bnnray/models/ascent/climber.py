"""What every way of climbing shares: a surrogate of the network, and the steps taken on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals


class Step(NamedTuple):
    """Where to go from inputs (points, restarts, pixels), before the budget is kept.

    Args:
        move: what to add to them.
        gradient: of the surrogate's objective at them, each restart's up to a positive factor.
    """

    move: Tensor
    gradient: Tensor


class Climber(Protocol):
    """A surrogate of the network of a batch, and the steps taken on it."""

    def begin(self, draws: Draws) -> None:
        """Begins a round of steps from new starts."""
        ...

    def step(self, x: Tensor, done: float, goals: Goals) -> Step:
        """The next step of the round.

        Args:
            x: (points, restarts, pixels), in [0, 1].
            done: how far the round is: 0 at its first step, 1 at its last.
            goals: what to raise.
        """
        ...

    def keep(self, places: Sequence[int]) -> None:
        """Goes on with these points only."""
        ...


def product(x: Tensor, weights: Tensor) -> Tensor:
    """A matrix product of each point's own."""
    return torch.bmm(x, weights.expand(x.shape[0], *weights.shape[-2:]))
