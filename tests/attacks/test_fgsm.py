"""Iterated FGSM as Khalil et al. (2018) define it, against a model written down again here."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny import Size, random_network

from bnnray.encodings import interval_ranges
from bnnray.models.ascent import CLIMBERS, Ascent, AscentSettings, Point
from bnnray.models.ascent.sign_steps import hardtanh, straight_through
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon, replay

SIZE = Size(pixels=12, hidden=(9, 7), classes=4, levels=255)
STEP, STEPS = 0.1, 15


def questions(goal: str, count: int = 40) -> list[Question]:
    """Each on a network of its own; a third of them has affine scores."""
    rng = np.random.default_rng(8)
    threat = Threat(parse_epsilon("0.2"), Domain.BOX, goal=Goal(goal))
    found = (
        Question(
            random_network(rng, SIZE, nasty=n % 3 == 0),
            rng.integers(0, 256, size=SIZE.pixels),
            SIZE.levels,
            0,
            threat,
        )
        for n in range(count)
    )
    return [question for question in found if question.targets]


def objective(question: Question, x: torch.Tensor) -> torch.Tensor:
    """Equation (1) on the surrogate: score(target) - score(predicted), g in the sign's place."""
    network = question.network
    for layer in network.hidden:
        z = torch.tensor(layer.linear.matrix(), dtype=x.dtype) @ x
        z = torch.tensor(layer.scale, dtype=x.dtype) * z + torch.tensor(layer.shift, dtype=x.dtype)
        x = torch.maximum(torch.tensor(-1.0), torch.minimum(torch.tensor(1.0), z)).to(x.dtype)
    output = network.output
    scores = torch.tensor(output.linear.matrix(), dtype=x.dtype) @ x
    if output.scale is not None:
        scores = scores * torch.tensor(output.scale) + torch.tensor(output.shift)
    return max(scores[t] for t in question.targets) - scores[question.predicted]


def gradient(question: Question, x: np.ndarray) -> np.ndarray:
    values = torch.tensor(x, requires_grad=True)
    objective(question, values).backward()
    return values.grad.numpy()


def iterates(question: Question, surrogate: str = "hardtanh") -> tuple[np.ndarray, list[float]]:
    """The inputs (steps + 1, pixels) and what they are said to reach."""
    settings = AscentSettings(surrogate, STEPS, restarts=1, step=STEP)
    ascent = Ascent([Point(question, 1, interval_ranges(question))], settings)
    found = [(i.witness(0), i.objectives[0]) for i in ascent.run()]
    return np.stack([w for w, _ in found]), [o for _, o in found]


@pytest.mark.parametrize("goal", ["runner-up", "any", "2"])
def test_every_step_is_the_sign_of_the_gradient_clipped(goal):
    moved = 0
    for question in questions(goal):
        region = question.region
        x, _ = iterates(question)
        assert x[0] == pytest.approx(region.float_clean)
        for before, after in pairwise(x):
            slope = gradient(question, before)
            clear = (np.abs(slope) > 1e-5) | (slope == 0)
            step = before + STEP * 0.2 * np.sign(slope)
            expected = np.clip(step, region.float_lower, region.float_upper)
            assert after[clear] == pytest.approx(expected[clear], abs=1e-6)
            moved += int(np.count_nonzero(slope))
    assert moved > 2000


@pytest.mark.parametrize("goal", ["runner-up", "any", "2"])
def test_the_slope_is_that_of_finite_differences(goal):
    """At random inputs; where a kink lies within the difference there is none to compare with."""
    rng = np.random.default_rng(9)
    compared = 0
    for question in questions(goal):
        x = rng.uniform(size=SIZE.pixels)
        slope = gradient(question, x)
        for pixel, delta in enumerate(1e-6 * np.eye(SIZE.pixels)):
            left, here, right = (
                float(objective(question, torch.tensor(x + k * delta))) for k in (-1, 0, 1)
            )
            if abs(right - 2 * here + left) < 1e-9:
                assert slope[pixel] == pytest.approx((right - left) / 2e-6, abs=1e-3)
                compared += 1
    assert compared > 300


@pytest.mark.parametrize("goal", ["runner-up", "any", "2"])
@pytest.mark.parametrize("surrogate", list(CLIMBERS))
def test_iterates_are_judged_by_the_true_network(goal, surrogate):
    for question in questions(goal, 10):
        x, said = iterates(question, surrogate)
        true = [float(replay(question, witness).objective) for witness in x]
        assert said == pytest.approx(true, rel=1e-6)


def test_hardtanh_is_g_forward_and_backward():
    z = torch.tensor([-3.0, -1.5, -0.5, 0.0, 0.25, 1.5, 9.0], requires_grad=True)
    activation = hardtanh(z, 1.0)
    assert activation.tolist() == [max(-1.0, min(1.0, value)) for value in z.tolist()]
    activation.sum().backward()
    assert z.grad.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]


def test_straight_through_is_the_sign_forward_and_g_backward():
    z = torch.tensor([-3.0, -0.5, 0.0, 0.25, 1.5], requires_grad=True)
    activation = straight_through(z, 1.0)
    assert activation.tolist() == [-1.0, -1.0, 1.0, 1.0, 1.0]
    activation.sum().backward()
    assert z.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
