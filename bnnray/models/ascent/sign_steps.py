"""Steps by the sign of the gradient, all of one length: iterated FGSM (Khalil et al. 2018).

A hidden unit of the network is sign(z), z = scale * a + shift; the surrogate puts another function
of z in the sign's place. Behind a quantizer the surrogate sees the levels that inputs round to, and
the gradient passes that rounding unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnnray.models.ascent.climber import Step, product
from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals
from bnnray.models.ascent.point import Point
from bnnray.threat import LevelQuestion

Activation = Callable[[Tensor, float], Tensor]

FIRST_WIDTH, LAST_WIDTH = 1.0, 0.1


class SignSteps:
    """Climbs on the network with another activation, in float32."""

    def __init__(
        self, activation: Activation, points: Sequence[Point], length: float, device: str
    ) -> None:
        question = points[0].question
        network = question.network
        self._steps = question.quantizer.steps if isinstance(question, LevelQuestion) else None
        self._activation = activation
        self._length = length

        def tensor(array: npt.NDArray[np.generic]) -> Tensor:
            return torch.tensor(array.astype(np.float32), device=device)

        self._hidden = [
            (tensor(h.linear.matrix().T), tensor(h.scale), tensor(h.shift)) for h in network.hidden
        ]
        output = network.output
        self._last = tensor(output.linear.matrix().T)
        self._affine = (
            (tensor(output.scale), tensor(output.shift))
            if output.scale is not None and output.shift is not None
            else None
        )

    def begin(self, draws: Draws) -> None:
        """Nothing here is random, and no step depends on those before it."""

    def keep(self, places: Sequence[int]) -> None:
        """The surrogate is the same for all points."""

    def step(self, x: Tensor, done: float, goals: Goals) -> Step:
        x = x.detach().requires_grad_()
        objective = goals.objective(self._scores(x, _width(done)))
        (gradient,) = torch.autograd.grad(objective.sum(), x)
        return Step(self._length * torch.sign(gradient), gradient)

    def _scores(self, x: Tensor, width: float) -> Tensor:
        """(points, restarts, pixels) to (points, restarts, classes)."""
        if self._steps is not None:
            x = x + (torch.round(x * self._steps) / self._steps - x).detach()
        for weights, scale, shift in self._hidden:
            x = self._activation(product(x, weights) * scale + shift, width)
        sums = product(x, self._last)
        return sums if self._affine is None else sums * self._affine[0] + self._affine[1]


def _width(done: float) -> float:
    return float(FIRST_WIDTH * (LAST_WIDTH / FIRST_WIDTH) ** done)


def hardtanh(z: Tensor, _width: float) -> Tensor:
    return z.clamp(-1.0, 1.0)


def straight_through(z: Tensor, _width: float) -> Tensor:
    soft = z.clamp(-1.0, 1.0)
    return soft + (torch.where(z >= 0, 1.0, -1.0) - soft).detach()


def tanh(z: Tensor, width: float) -> Tensor:
    return torch.tanh(z / width)
