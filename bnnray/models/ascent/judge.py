"""What an iterate is worth: the true network's scores, and the objective of scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bnnray.models.inference import TorchNetwork
from bnnray.threat import Domain, Question


class Judge:
    """The true network in float64: exact on the grid, up to rounding of inputs on the box."""

    def __init__(self, question: Question, device: str) -> None:
        region, output = question.region, question.network.output
        self._levels = region.denominator if region.domain is Domain.GRID else None
        self._network = TorchNetwork(question.network, self._levels or 1, device)
        d = output.denominator
        self._scale = torch.tensor([m / d for m in output.multipliers], device=device)
        self._shift = torch.tensor([o / d for o in output.offsets], device=device)

    def scores(self, x: Tensor) -> Tensor:
        """(points, restarts, pixels) to (points, restarts, classes)."""
        values = x.detach().double()
        if self._levels is not None:
            values = torch.round(values * self._levels)
        return self._network.sums(values) * self._scale + self._shift


class Goals:
    """score(target) - score(attacked), the largest over each point's targets."""

    def __init__(self, questions: Sequence[Question], device: str) -> None:
        classes = questions[0].network.classes
        mask = torch.full((len(questions), 1, classes), -torch.inf)
        for number, question in enumerate(questions):
            mask[number, 0, list(question.targets)] = 0.0
        self._mask = mask.to(device)
        self._attacked = torch.tensor([q.attacked for q in questions], device=device)

    def keep(self, places: Sequence[int]) -> None:
        """Goes on with these points only."""
        self._mask, self._attacked = self._mask[list(places)], self._attacked[list(places)]

    def objective(self, scores: Tensor) -> Tensor:
        """(points, restarts, classes) to (points, restarts)."""
        index = self._attacked[:, None, None].expand(-1, scores.shape[1], 1)
        attacked = scores.gather(2, index)[..., 0]
        return (scores + self._mask).amax(dim=2) - attacked

    def slope(self, scores: Tensor) -> Tensor:
        """Of the objective in the scores, of the same shape; shared by targets that draw level."""
        wanted = scores + self._mask
        best = (wanted == wanted.amax(dim=2, keepdim=True)).to(scores.dtype)
        index = self._attacked[:, None, None].expand(-1, scores.shape[1], 1)
        ones = torch.ones_like(scores[..., :1])
        return (best / best.sum(dim=2, keepdim=True)).scatter_add(2, index, -ones)
