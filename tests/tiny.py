"""Tiny random networks and questions, small enough to enumerate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.threat import Against, Domain, Goal, Question, Threat, Tie

EPSILONS = {Domain.GRID: ["1/3", "1/2", "1/5", "1"], Domain.BOX: ["0.1", "1/3", "0.25", "0.7"]}


@dataclass(frozen=True)
class Size:
    pixels: int
    hidden: tuple[int, ...]
    classes: int
    levels: int


def random_size(rng: np.random.Generator) -> Size:
    return Size(
        pixels=int(rng.integers(1, 5)),
        hidden=tuple(int(n) for n in rng.integers(1, 7, size=int(rng.integers(1, 4)))),
        classes=int(rng.integers(2, 5)),
        levels=int(rng.integers(1, 6)),
    )


def random_network(rng: np.random.Generator, size: Size, *, nasty: bool) -> Network:
    """A network; a nasty one has thresholds on reachable sums, zero scales and affine scores."""
    widths = (size.pixels, *size.hidden)
    hidden = tuple(
        _layer(rng, inputs, units, levels=size.levels if first else 1, nasty=nasty)
        for first, inputs, units in zip([True] + [False] * 9, widths, widths[1:], strict=False)
    )
    weights = _weights(rng, size.classes, widths[-1], zeros=bool(rng.integers(2)))
    if nasty and rng.integers(2):
        scale = rng.normal(size=size.classes).astype(np.float32)
        return Network(
            (size.pixels,),
            hidden,
            OutputLayer(Dense(weights), scale, rng.normal(size=size.classes).astype(np.float32)),
        )
    return Network((size.pixels,), hidden, OutputLayer(Dense(weights)))


def random_question(
    rng: np.random.Generator,
    domain: Domain,
    goal: str | None = None,
    *,
    nasty: bool = True,
    local: bool = False,
) -> Question:
    """A question; a local one lets some pixels change only, or few at once, or both."""
    size = random_size(rng)
    network = random_network(rng, size, nasty=nasty)
    goals = ["runner-up", "any", *(str(c) for c in range(size.classes))]
    threat = Threat(
        epsilon=Fraction(str(rng.choice(EPSILONS[domain]))),
        domain=domain,
        levels=size.levels,
        goal=Goal(goal or str(rng.choice(goals))),
        against=Against(str(rng.choice(list(Against)))),
        tie=Tie(str(rng.choice(list(Tie)))),
    )
    if local:
        threat = replace(threat, **_locality(rng, size.pixels))
    return Question(
        network=network,
        pixels=rng.integers(0, size.levels + 1, size=size.pixels),
        levels=size.levels,
        label=int(rng.integers(size.classes)),
        threat=threat,
    )


def _locality(rng: np.random.Generator, pixels: int) -> dict[str, object]:
    some = rng.permutation(pixels)[: rng.integers(1, pixels + 1)]
    mask = frozenset(some.tolist())
    few = int(rng.integers(1, pixels + 1))
    kind = rng.integers(3)
    return {"mask": mask if kind != 1 else None, "max_pixels": few if kind != 0 else None}


def _layer(
    rng: np.random.Generator, inputs: int, units: int, *, levels: int, nasty: bool
) -> SignLayer:
    linear = Dense(_weights(rng, units, inputs, zeros=bool(rng.integers(2))))
    if nasty and rng.integers(2):
        scale = rng.choice([-levels, 0, levels, levels], size=units)
        shift = rng.integers(-levels, levels + 1, size=units)
        return SignLayer(linear, scale.astype(np.float32), shift.astype(np.float32))
    scale = rng.normal(size=units) + 0.1
    return SignLayer(
        linear, scale.astype(np.float32), (0.7 * rng.normal(size=units)).astype(np.float32)
    )


def _weights(rng: np.random.Generator, units: int, inputs: int, *, zeros: bool) -> np.ndarray:
    return rng.choice([-1, 0, 1] if zeros else [-1, 1], size=(units, inputs)).astype(np.int8)
