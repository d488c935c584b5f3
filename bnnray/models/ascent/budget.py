"""The regions of a batch in torch: where a climb may start and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnnray.models.ascent.draws import Draws
from bnnray.threat import Question


class Budget:
    """Boxes around clean inputs; where the number of changed pixels is limited, less.

    Args:
        questions: of one threat.
        device: where to compute.
    """

    clean: Tensor
    """(points, 1, pixels), in [0, 1]."""

    def __init__(self, questions: Sequence[Question], device: str) -> None:
        regions = [q.region for q in questions]
        self._lower = _rows([r.lower / r.denominator for r in regions], device)
        self._upper = _rows([r.upper / r.denominator for r in regions], device)
        self.clean = _rows([r.clean / r.denominator for r in regions], device)
        limited = any(r.max_pixels is not None for r in regions)
        self._most = questions[0].threat.max_pixels if limited else None

    def keep(self, places: Sequence[int]) -> None:
        """Goes on with these points only."""
        at = list(places)
        self._lower, self._upper = self._lower[at], self._upper[at]
        self.clean = self.clean[at]

    def starts(self, draws: Draws) -> Tensor:
        """(points, restarts, pixels): uniform in the budget.

        Where the number of changed pixels is limited, random ones of those that can are changed.
        """
        pixels = self.clean.shape[-1]
        starts = self._lower + draws.uniform(pixels) * (self._upper - self._lower)
        if self._most is None:
            return starts
        free = (self._upper > self._lower).float()
        return self._changed(starts, draws.uniform(pixels) + free, self._most)

    def project(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Into the budget; of too many changed pixels those with the largest first-order gain."""
        x = torch.minimum(torch.maximum(x, self._lower), self._upper)
        if self._most is None:
            return x
        return self._changed(x, (gradient * (x - self.clean)).abs(), self._most)

    def _changed(self, x: Tensor, merit: Tensor, most: int) -> Tensor:
        """The inputs with all but the ``most`` pixels of the largest merit put back to clean."""
        changed = torch.zeros_like(x, dtype=torch.bool)
        changed.scatter_(-1, merit.topk(most, dim=-1).indices, value=True)
        return torch.where(changed, x, self.clean)


def _rows(rows: Sequence[npt.NDArray[np.float64]], device: str) -> Tensor:
    return torch.tensor(np.stack(rows), dtype=torch.float32, device=device)[:, None, :]
