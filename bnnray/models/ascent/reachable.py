"""Annealed tanh, as wide at each unit as its sums can move within the budget.

A unit that fires iff its sum a is at least t becomes tanh((a - t) / (reach * width)). Its reach is
what the budget can do to a, not the spread of a over the data: a surrogate that is wide over the
data is flat over a small budget. The width falls over a round, so that the surrogate becomes the
network. Restarts differ in their starts, in how their width falls, and in how much each unit of the
last layer counts at first.

What depends on every bit of a gradient would depend on the order in which matrix products add, and
that changes with the size of a batch. So all that is multiplied by weights, forward and backward,
is rounded to whole numbers first: the sums are exact, in any order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnnray.models.ascent.climber import Step, product
from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals
from bnnray.models.ascent.point import Point, SumRange
from bnnray.network import IntArray, OutputLayer, SignLayer
from bnnray.threat import Domain, Region

FloatArray = npt.NDArray[np.float64]

SCHEDULES = tuple(itertools.product((0.3, 0.5, 1.0, 2.0), (0.03, 0.05, 0.1, 0.2)))
"""First and last width of a round; each restart has one of these."""
MOMENTUM = 0.7
LAST_LENGTH = 0.04
"""Of the last step of a round, as a fraction of the first."""
LEAK = 1e-4
"""Slope that is left where the tanh is flat, so that saturated units still give a direction."""
ONE = 2**28
"""What is multiplied by weights is rounded to multiples of the largest value over this."""
TINY = 1e-200


class ReachableTanh:
    """Climbs with momentum, by steps that shrink over a round."""

    def __init__(self, points: Sequence[Point], length: float, device: str) -> None:
        question = points[0].question
        self._length = length
        self._whole = _whole(question.region)
        self._layers = _layers(points, device)
        self._last = _Last(question.network.output, device)
        free = np.stack([p.question.region.upper > p.question.region.lower for p in points])
        self._free = _tensor(free[:, None, :], device)

    def begin(self, draws: Draws) -> None:
        self._schedule = (draws.uniform(1) * len(SCHEDULES)).long()
        self._emphasis = draws.exponential(self._last.inputs).double()
        self._momentum = torch.zeros_like(self._emphasis[..., :1])

    def keep(self, places: Sequence[int]) -> None:
        at = list(places)
        for layer in self._layers:
            layer.keep(at)
        self._free, self._schedule = self._free[at], self._schedule[at]
        self._emphasis, self._momentum = self._emphasis[at], self._momentum[at]

    def step(self, x: Tensor, done: float, goals: Goals) -> Step:
        gradient = self._gradient(x, done, goals) * self._free
        mean = gradient.abs().sum(-1, keepdim=True) / self._free.sum(-1, keepdim=True).clamp_min(1)
        self._momentum = MOMENTUM * self._momentum + gradient / mean.clamp_min(1 / ONE)
        length = self._length * (1 - done + LAST_LENGTH * done)
        return Step((length * self._momentum.clamp(-1.0, 1.0)).float(), gradient)

    def _gradient(self, x: Tensor, done: float, goals: Goals) -> Tensor:
        """In whole numbers; each restart's up to a positive factor."""
        width, slopes = self._width(done), []
        values = torch.round(x.detach().double() * self._whole)
        for layer in self._layers:
            soft, slope = layer.fire(values, width)
            values = torch.round(soft * ONE)
            slopes.append(slope)
        emphasis = self._emphasis * (1 - done) + done
        scores = self._last.scores(torch.round(values * emphasis))
        gradient = self._last.back(goals.slope(scores)) * emphasis
        for layer, slope in zip(reversed(self._layers), reversed(slopes), strict=True):
            gradient = layer.back(gradient * slope)
        return gradient

    def _width(self, done: float) -> Tensor:
        """(points, restarts, 1)."""
        widths = [first * (last / first) ** done for first, last in SCHEDULES]
        return _tensor(np.array(widths), str(self._schedule.device))[self._schedule]


class _Layer:
    """Hidden units: whole numbers (points, restarts, inputs) to (points, restarts, units)."""

    def __init__(
        self,
        layer: SignLayer,
        thresholds: FloatArray,
        reaches: Sequence[FloatArray],
        settled: Sequence[IntArray],
        device: str,
    ) -> None:
        self._rows = _tensor(layer.rows(), device)
        self._thresholds = _tensor(thresholds, device)
        self._reaches = _tensor(np.stack(reaches)[:, None, :], device)
        self._settled = _tensor(np.stack(settled)[:, None, :], device)

    def keep(self, places: list[int]) -> None:
        self._reaches, self._settled = self._reaches[places], self._settled[places]

    def fire(self, values: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Activations, and their slopes in the sums up to the width, which all of them share."""
        soft = torch.tanh(
            (product(values, self._rows.T) - self._thresholds) / self._reaches / width
        )
        slope = (1 - soft * soft + LEAK) / self._reaches
        free = self._settled == 0
        return torch.where(free, soft, self._settled), slope * free

    def back(self, gradient: Tensor) -> Tensor:
        """From a gradient in the sums to one in the inputs."""
        return product(_rounded(gradient), self._rows)


class _Last:
    """The scores of the last hidden layer, given in ``ONE``-ths."""

    def __init__(self, output: OutputLayer, device: str) -> None:
        d = output.denominator
        self.inputs = output.linear.inputs
        self._rows = _tensor(output.linear.matrix(), device)
        self._scale = _tensor(np.array([m / d for m in output.multipliers]), device)
        self._shift = _tensor(np.array([o / d for o in output.offsets]), device)

    def scores(self, values: Tensor) -> Tensor:
        return product(values, self._rows.T) / ONE * self._scale + self._shift

    def back(self, slope: Tensor) -> Tensor:
        """From a slope in the scores to a gradient in the activations."""
        return product(_rounded(slope * self._scale), self._rows)


def _rounded(gradient: Tensor) -> Tensor:
    """In whole numbers, the largest of each restart ``ONE``."""
    largest = gradient.abs().amax(dim=-1, keepdim=True)
    return torch.round(gradient * (ONE / largest.clamp_min(TINY)))


def _layers(points: Sequence[Point], device: str) -> list[_Layer]:
    question = points[0].question
    region, whole = question.region, _whole(question.region)
    layers = []
    ranges = zip(*(p.ranges for p in points), strict=True)
    for number, (layer, found) in enumerate(zip(question.network.hidden, ranges, strict=True)):
        if number == 0:
            thresholds = _pixel_thresholds(layer, region)
            reaches = [_pixel_reach(r) * (whole / region.denominator) for r in found]
        else:
            thresholds = ONE * (layer.sign_thresholds - 1).astype(
                np.float64
            )  # sums of signs end at T and at T - 2
            reaches = [_sign_reach(r) * ONE for r in found]
        layers.append(_Layer(layer, thresholds, reaches, [r.settled for r in found], device))
    return layers


def _whole(region: Region) -> int:
    """What inputs are whole numbers of: the true levels on the grid, fine ones on the box."""
    return region.denominator if region.domain is Domain.GRID else ONE


def _pixel_thresholds(layer: SignLayer, region: Region) -> FloatArray:
    """On the grid halfway between the sums on either side."""
    if region.domain is Domain.GRID:
        return layer.pixel_thresholds(region.denominator).astype(np.float64) - 0.5
    beyond = layer.inputs + 1.0
    return ONE * np.clip([float(t) for t in layer.thresholds], -beyond, beyond)


def _pixel_reach(sums: SumRange) -> FloatArray:
    """A quarter of what the sum can move, and of one numerator where it cannot."""
    return np.maximum(sums.upper - sums.lower, 1).astype(np.float64) / 4


def _sign_reach(sums: SumRange) -> FloatArray:
    """About how far a sum of the signs that can change is from its mean, and at least 1."""
    changing = (sums.upper - sums.lower).astype(np.float64) / 2
    return np.maximum(1.0, 0.7 * np.sqrt(changing))


def _tensor(array: npt.NDArray[np.generic], device: str) -> Tensor:
    return torch.tensor(array.astype(np.float64), device=device)
