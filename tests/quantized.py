"""Tiny questions of networks that begin with a quantizer, and their true maximum by enumeration.

Nothing of bnnray's quantizer is used for the truth, only its definition, in fractions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
from tiny import Size, random_network, random_question, random_size

from bnnray.network import Quantizer, Rounding
from bnnray.threat import Domain, Question


def level_by_definition(value: Fraction, quantizer: Quantizer) -> int:
    """The nearest of all levels, the even one where two are; or the largest that is not above."""
    scaled = value * quantizer.steps
    around = {floor(scaled), ceil(scaled)}
    if quantizer.rounding is Rounding.FLOOR:
        return min(around)
    return min(around, key=lambda level: (abs(level - scaled), level % 2))


def quantized_question(
    rng: np.random.Generator, domain: Domain, *, local: bool = False
) -> Question:
    """A question whose budget often ends on a border of levels, half a step and so on."""
    question = random_question(rng, domain, local=local)
    size = random_size(rng)
    quantizer = Quantizer(int(rng.integers(1, 6)), list(Rounding)[int(rng.integers(2))])
    shape = Size(question.network.pixels, size.hidden, question.network.classes, quantizer.steps)
    plain = random_network(rng, shape, nasty=True)
    levels = [question.levels, quantizer.steps, 2 * quantizer.steps][int(rng.integers(3))]
    threat = replace(question.threat, levels=levels * -(-quantizer.steps // levels))
    if rng.integers(2):
        most = 4 * quantizer.steps
        threat = replace(threat, epsilon=Fraction(int(rng.integers(most + 1)), most))
    return replace(
        question,
        network=replace(plain, quantizer=quantizer),
        pixels=rng.integers(0, levels + 1, size=shape.pixels),
        levels=levels,
        threat=threat,
    )


def quantized_questions(
    domain: Domain, seeds: Sequence[int], *, local: bool = False
) -> list[tuple[int, Question]]:
    """Those with a target, by their seeds."""
    made = [(s, quantized_question(np.random.default_rng(s), domain, local=local)) for s in seeds]
    return [(seed, question) for seed, question in made if question.targets]


def true_maximum_behind(question: Question) -> Fraction:
    """The largest objective over all levels that some input reaches."""
    quantizer, threat = question.network.quantizer, question.threat
    assert quantizer is not None
    choices = [_reached(question, pixel) for pixel in range(len(question.pixels))]
    clean = [
        level_by_definition(Fraction(int(k), question.levels), quantizer) for k in question.pixels
    ]
    most = len(clean) if threat.max_pixels is None else threat.max_pixels
    inputs = [
        levels
        for levels in itertools.product(*choices)
        if sum(a != b for a, b in zip(levels, clean, strict=True)) <= most
    ]
    plain = replace(question.network, quantizer=None)
    return max(
        question.objective_of(row) for row in plain.scores(np.array(inputs), quantizer.steps)
    )


def _reached(question: Question, pixel: int) -> list[int]:
    """The levels of a pixel's inputs. On the box each level has its value among its inputs, so the
    ends and the values are enough."""
    quantizer, threat = question.network.quantizer, question.threat
    assert quantizer is not None
    clean = Fraction(int(question.pixels[pixel]), question.levels)
    may = threat.mask is None or pixel in threat.mask
    lower = max(Fraction(0), clean - threat.epsilon) if may else clean
    upper = min(Fraction(1), clean + threat.epsilon) if may else clean
    steps = threat.levels if threat.domain is Domain.GRID else quantizer.steps
    values = [Fraction(k, steps) for k in range(steps + 1)]
    inside = [x for x in values if lower <= x <= upper]
    ends = [] if threat.domain is Domain.GRID else [lower, upper]
    return sorted({level_by_definition(x, quantizer) for x in [*inside, *ends]})
