"""Random numbers, from a generator of each point's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Fill = Callable[[tuple[int, int], torch.Generator], Tensor]


class Draws:
    """Tensors (points, restarts, columns) of random numbers.

    They are drawn on the CPU, the same for every device and batch.
    """

    def __init__(self, seeds: Sequence[int], restarts: int, device: str) -> None:
        self._generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
        self._restarts = restarts
        self._device = device

    def keep(self, places: Sequence[int]) -> None:
        """Goes on with the generators of these points only."""
        self._generators = [self._generators[place] for place in places]

    def uniform(self, columns: int) -> Tensor:
        """In [0, 1)."""
        return self._drawn(columns, lambda shape, g: torch.rand(shape, generator=g))

    def exponential(self, columns: int) -> Tensor:
        """Positive, of mean 1."""
        return self._drawn(columns, lambda shape, g: torch.empty(shape).exponential_(generator=g))

    def _drawn(self, columns: int, fill: Fill) -> Tensor:
        shape = (self._restarts, columns)
        return torch.stack([fill(shape, g) for g in self._generators]).to(self._device)
