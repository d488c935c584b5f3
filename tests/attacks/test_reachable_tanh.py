"""The annealed tanh against a model written down again here, and what its settings default to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Size, random_network

from bnnray.attacks import IpropSettings, PgdSettings
from bnnray.encodings import interval_ranges
from bnnray.models.ascent import Point
from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals
from bnnray.models.ascent.reachable import ReachableTanh
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon

SIZE = Size(pixels=40, hidden=(21, 13, 9), classes=4, levels=255)
SEED, RESTARTS, LENGTH = 3, 7, 0.5


def questions(domain: Domain, **locality: object) -> list[Question]:
    """Each on a network of its own; every other one has odd scales, some affine scores."""
    rng = np.random.default_rng(12)
    found = []
    for n in range(24):
        goal = Goal(["runner-up", "any", "2"][n % 3])
        threat = replace(Threat(parse_epsilon("0.05"), domain, goal=goal), **locality)
        network = random_network(rng, SIZE, nasty=n % 2 == 0)
        pixels = rng.integers(0, 256, size=SIZE.pixels)
        found.append(Question(network, pixels, SIZE.levels, 0, threat))
    return [question for question in found if question.targets]


def gradient(question: Question, x: np.ndarray, width: np.ndarray, counts: np.ndarray):
    """Its slope in the numerators (restarts, pixels), through the rounding of the grid.

    Args:
        question: what is asked.
        x: (restarts, pixels) in [0, 1].
        width: (restarts, 1), what the reaches are multiplied by.
        counts: (restarts, units), how much each unit of the last layer counts.
    """
    grid = question.threat.domain is Domain.GRID
    d = question.region.denominator
    h = np.rint(x * d) if grid else x * d
    layers, ranges = question.network.hidden, interval_ranges(question)
    slopes, free_inputs = [], None
    for layer, found in zip(layers, ranges, strict=True):
        rows, free = layer.rows().astype(float), found.settled == 0
        if free_inputs is None:
            exact = np.array([float(t * d) for t in layer.thresholds])
            threshold = np.ceil(exact) - 0.5 if grid else exact
            reach = np.maximum((found.upper - found.lower) / 4, 0.25)
        else:
            threshold = layer.sign_thresholds - 1
            reach = np.maximum(0.7 * np.sqrt(np.abs(rows) @ free_inputs), 1)
        soft = np.tanh((h @ rows.T - threshold) / (reach * width))
        slopes.append(free * (1 - soft**2 + 1e-4) / reach)
        h, free_inputs = np.where(free, soft, found.settled), free
    output = question.network.output
    weights = output.linear.matrix() * np.array(output.multipliers)[:, None] / output.denominator
    offsets = np.array([o / output.denominator for o in output.offsets])
    scores = (h * counts) @ weights.astype(float).T + offsets
    best = [max(question.targets, key=lambda t: s[t]) for s in scores]
    slope = (weights[best] - weights[question.attacked]).astype(float) * counts
    for layer, down in zip(reversed(layers), reversed(slopes), strict=True):
        slope = (slope * down) @ layer.rows()
    return slope


def check_steps(question: Question, rng: np.random.Generator) -> int:
    """Three steps of a round; returns how many moves differ from 0."""
    climber = ReachableTanh([Point(question, SEED, interval_ranges(question))], LENGTH, "cpu")
    climber.begin(Draws([SEED], RESTARTS, "cpu"))
    draws = Draws([SEED], RESTARTS, "cpu")
    schedule = (draws.uniform(1)[0].numpy() * 16).astype(int)
    emphasis = draws.exponential(SIZE.hidden[-1])[0].numpy().astype(float)
    first = np.array([0.3, 0.5, 1.0, 2.0])[schedule // 4]
    last = np.array([0.03, 0.05, 0.1, 0.2])[schedule % 4]
    region, goals = question.region, Goals([question], "cpu")
    free = region.upper > region.lower
    momentum, moved = 0.0, 0
    for done in (0.0, 0.5, 0.9):  # at 1 saturated targets draw level
        share = rng.uniform(size=(RESTARTS, SIZE.pixels))
        x = (region.lower + share * (region.upper - region.lower)) / region.denominator
        x = x.astype(np.float32)
        width = first ** (1 - done) * last**done
        slope = gradient(question, x.astype(float), width, emphasis * (1 - done) + done)
        size = np.abs(slope[:, free]).mean(axis=1, keepdims=True)
        momentum = 0.7 * momentum + slope / np.maximum(size, 1e-300)
        expected = LENGTH * (1 - 0.96 * done) * np.clip(momentum, -1, 1) * free
        step = climber.step(torch.tensor(x)[None], done, goals)
        assert np.abs(step.move[0].numpy() - expected).max() < 5e-3
        moved += int(np.count_nonzero(expected))
    return moved


@pytest.mark.parametrize("locality", [{}, {"mask": frozenset(range(5, 30))}, {"max_pixels": 6}])
@pytest.mark.parametrize("domain", list(Domain))
def test_steps_are_those_of_the_annealed_tanh(domain, locality):
    torch.set_num_threads(1)  # as a climb has it
    rng = np.random.default_rng(1)
    moved = [check_steps(question, rng) for question in questions(domain, **locality)]
    assert np.count_nonzero(moved) > len(moved) / 3


def test_what_is_not_given_depends_on_the_surrogate():
    reachable = PgdSettings(surrogate="reachable-tanh")
    assert (reachable.iterations, reachable.step) == (50, 0.5)
    other = PgdSettings(surrogate="reachable-tanh", iterations=100, step=0.1)
    assert (other.iterations, other.step) == (100, 0.1)
    nested = IpropSettings(warm_start={"kind": "pgd", "surrogate": "reachable-tanh"})
    assert nested.warm_start == reachable


@pytest.mark.parametrize("surrogate", ["hardtanh", "straight-through", "tanh"])
def test_the_other_surrogates_keep_their_content_and_so_their_keys(surrogate):
    assert PgdSettings(surrogate=surrogate).content() == {
        "kind": "pgd",
        "name": "pgd",
        "surrogate": surrogate,
        "iterations": 100,
        "restarts": 10,
        "step": 0.1,
        "stop": "optimum",
    }
