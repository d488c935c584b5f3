"""A run about one image of one network, for benchmarks of what surrounds the searches."""

from __future__ import annotations

import math

import numpy as np

from bnnray.attacks import AttackSettings
from bnnray.job import Unit
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.runtime.context import RunContext
from bnnray.threat import Threat, parse_epsilon


def tiny_context() -> RunContext:
    """The context; slots load the attack that sleeps."""
    hidden = SignLayer(
        Dense(np.ones((3, 4), dtype=np.int8)),
        np.ones(3, dtype=np.float32),
        np.zeros(3, dtype=np.float32),
    )
    network = Network((4,), (hidden,), OutputLayer(Dense(np.ones((3, 3), dtype=np.int8))))
    return RunContext(
        job="job",
        session=1,
        dataset="tiny",
        split="test",
        levels=1,
        images={0: np.zeros(4, dtype=np.int64)},
        labels={0: 0},
        networks={"net": network},
        threads=1,
        memory=math.inf,
        modules=("sleeping",),
        versions="{}",
    )


def tiny_units(count: int, attack: AttackSettings) -> list[Unit]:
    """Units that differ by their keys only."""
    threat = Threat(parse_epsilon("0.1"))
    return [Unit(f"{n:032x}", "question", "net", 0, threat, attack) for n in range(count)]
