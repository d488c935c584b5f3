"""Gradient ascent on a smooth surrogate, in torch, batched over points and restarts.

A hidden unit of the network is sign(z), z = scale * a + shift. A surrogate puts a function with
a useful slope in the sign's place. Every iterate is judged by the true network: exactly on the
grid (integers in float64), up to rounding on the box, where the caller replays what counts.

Each point is a matrix product of its own (bmm), so that its iterates do not depend on which
points share its batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnnray.models.inference import TorchNetwork
from bnnray.network import Network
from bnnray.threat import Domain, Question, Witness

Activation = Callable[[Tensor, float], Tensor]

FIRST_WIDTH, LAST_WIDTH = 1.0, 0.1


@dataclass(frozen=True)
class AscentSettings:
    """How to climb; see :class:`bnnray.attacks.pgd.PgdSettings`."""

    surrogate: str
    iterations: int
    restarts: int
    step: float
    repeat: bool = False


@dataclass(frozen=True, eq=False)
class Point:
    """A question and the seed of its random starts."""

    question: Question
    seed: int


@dataclass(frozen=True, eq=False)
class Iterate:
    """The batch after some steps.

    Args:
        number: how many steps were taken, in all rounds.
        objectives: float64 (points,), the best over the restarts, as judged in torch.
        witness: gives that best input of a point.
    """

    number: int
    objectives: npt.NDArray[np.float64]
    witness: Callable[[int], Witness]


class Ascent:
    """One climb of several questions on one network and one threat."""

    def __init__(
        self,
        points: Sequence[Point],
        settings: AscentSettings,
        threads: int = 1,
        device: str | None = None,
    ) -> None:
        torch.set_num_threads(threads)  # of this thread: other slots keep theirs
        self._points = list(points)
        self._settings = settings
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        first = points[0].question
        self._surrogate = _Surrogate(first.network, self._device)
        self._judge = _Judge(first, self._device)
        regions = [p.question.region for p in points]
        self._lower = self._tensor([r.lower / r.denominator for r in regions])
        self._upper = self._tensor([r.upper / r.denominator for r in regions])
        self._clean = self._tensor([r.clean / r.denominator for r in regions])
        limited = any(r.max_pixels is not None for r in regions)
        self._most = first.threat.max_pixels if limited else None
        self._goal = _GoalMask([p.question for p in points], self._device)
        self._generators = [torch.Generator().manual_seed(p.seed % 2**63) for p in points]

    def run(self) -> Iterator[Iterate]:
        """Rounds of starts and steps: one, or without end with ``repeat``.

        The first round has the clean input among its starts; the generator of each point goes on
        from round to round.
        """
        self._x = self._starts()
        self._x[:, :1] = self._clean
        yield from self._round(0)
        for number in itertools.count(1) if self._settings.repeat else ():
            self._x = self._starts()
            yield from self._round(number)

    def keep(self, numbers: Sequence[int]) -> None:
        """Goes on with these of the batch's points only, numbered anew from the next iterate."""
        places = list(numbers)
        self._points = [self._points[n] for n in places]
        self._generators = [self._generators[n] for n in places]
        self._lower, self._upper = self._lower[places], self._upper[places]
        self._clean, self._x = self._clean[places], self._x[places]
        self._goal = _GoalMask([p.question for p in self._points], self._device)

    def _round(self, number: int) -> Iterator[Iterate]:
        """The starts, then the batch after each step."""
        activation = ACTIVATIONS[self._settings.surrogate]
        iterations = self._settings.iterations
        step = self._settings.step * float(self._points[0].question.threat.epsilon)
        yield self._judged(number * iterations)
        for taken in range(iterations):
            gradient = self._gradient(self._x, activation, _width(taken, iterations))
            self._x = self._project(self._x + step * torch.sign(gradient), gradient)
            yield self._judged(number * iterations + taken + 1)

    def _starts(self) -> Tensor:
        """(points, restarts, pixels): uniform in the budget, the next of each generator.

        Where the number of changed pixels is limited, random ones of those that can are changed.
        """
        starts = self._lower + self._uniform() * (self._upper - self._lower)
        if self._most is None:
            return starts
        free = (self._upper > self._lower).float()
        return self._keep(starts, self._uniform() + free, self._most)

    def _uniform(self) -> Tensor:
        shape = (self._settings.restarts, self._clean.shape[-1])
        drawn = torch.stack([torch.rand(shape, generator=g) for g in self._generators])
        return drawn.to(self._device)

    def _gradient(self, x: Tensor, activation: Activation, width: float) -> Tensor:
        x = x.detach().requires_grad_()
        objective = self._goal.objective(self._surrogate.scores(x, activation, width))
        (gradient,) = torch.autograd.grad(objective.sum(), x)
        return gradient

    def _project(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Into the budget; of too many changed pixels those with the largest first-order gain."""
        x = torch.minimum(torch.maximum(x, self._lower), self._upper)
        if self._most is None:
            return x
        return self._keep(x, (gradient * (x - self._clean)).abs(), self._most)

    def _keep(self, x: Tensor, merit: Tensor, most: int) -> Tensor:
        """The inputs with all but the ``most`` pixels of the largest merit put back to clean."""
        kept = torch.zeros_like(x, dtype=torch.bool)
        kept.scatter_(-1, merit.topk(most, dim=-1).indices, value=True)
        return torch.where(kept, x, self._clean)

    def _judged(self, number: int) -> Iterate:
        points, clean, x = self._points, self._clean, self._x
        objectives = self._goal.objective(self._judge.scores(x))
        best, where = objectives.max(dim=1)

        def witness(point: int) -> Witness:
            region = points[point].question.region
            best = x[point, where[point]].detach()
            moved = (best != clean[point, 0]).cpu().numpy()
            values = np.where(moved, best.cpu().numpy().astype(np.float64), region.float_clean)
            return region.nearest(values)

        return Iterate(number, best.cpu().numpy().astype(np.float64), witness)

    def _tensor(self, rows: Sequence[npt.NDArray[np.float64]]) -> Tensor:
        return torch.tensor(np.stack(rows), dtype=torch.float32, device=self._device)[:, None, :]


class _Surrogate:
    """The network with another activation, in float32: z = scale * (x W^T) + shift."""

    def __init__(self, network: Network, device: str) -> None:
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

    def scores(self, x: Tensor, activation: Activation, width: float) -> Tensor:
        """(points, restarts, pixels) to (points, restarts, classes)."""
        for weights, scale, shift in self._hidden:
            x = activation(_product(x, weights) * scale + shift, width)
        sums = _product(x, self._last)
        return sums if self._affine is None else sums * self._affine[0] + self._affine[1]


class _Judge:
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


class _GoalMask:
    """score(target) - score(attacked), the largest over each point's targets."""

    def __init__(self, questions: Sequence[Question], device: str) -> None:
        classes = questions[0].network.classes
        mask = torch.full((len(questions), 1, classes), -torch.inf)
        for number, question in enumerate(questions):
            mask[number, 0, list(question.targets)] = 0.0
        self._mask = mask.to(device)
        self._attacked = torch.tensor([q.attacked for q in questions], device=device)

    def objective(self, scores: Tensor) -> Tensor:
        """(points, restarts, classes) to (points, restarts)."""
        index = self._attacked[:, None, None].expand(-1, scores.shape[1], 1)
        attacked = scores.gather(2, index)[..., 0]
        return (scores + self._mask).amax(dim=2) - attacked


def _product(x: Tensor, weights: Tensor) -> Tensor:
    return torch.bmm(x, weights.expand(x.shape[0], *weights.shape))


def _width(number: int, iterations: int) -> float:
    return float(FIRST_WIDTH * (LAST_WIDTH / FIRST_WIDTH) ** (number / max(1, iterations - 1)))


def _hardtanh(z: Tensor, _width: float) -> Tensor:
    return z.clamp(-1.0, 1.0)


def _straight_through(z: Tensor, _width: float) -> Tensor:
    soft = z.clamp(-1.0, 1.0)
    return soft + (torch.where(z >= 0, 1.0, -1.0) - soft).detach()


def _tanh(z: Tensor, width: float) -> Tensor:
    return torch.tanh(z / width)


ACTIVATIONS: dict[str, Activation] = {
    "hardtanh": _hardtanh,
    "straight-through": _straight_through,
    "tanh": _tanh,
}
