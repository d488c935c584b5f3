"""The judge: what is no point of the region is refused, what is one is evaluated exactly."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import random_question

from bnnray.errors import WitnessError
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.threat import Domain, Norm, Question, Threat, Tie, replay

SEEDS = st.integers(0, 2**32 - 1)


def step_network(threshold: float) -> Network:
    """Class 1 iff the single pixel is at least the threshold."""
    layer = SignLayer(
        Dense(np.ones((1, 1), np.int8)),
        np.array([1.0], dtype=np.float32),
        np.array([-threshold], dtype=np.float32),
    )
    return Network((1,), (layer,), OutputLayer(Dense(np.array([[-1], [1]], np.int8))))


def step_question(pixel: int, epsilon: str, domain: Domain, threshold: float = 0.5) -> Question:
    threat = Threat(Fraction(epsilon), domain=domain)
    return Question(step_network(threshold), np.array([pixel]), 255, 0, threat)


def test_a_flip_on_the_grid():
    question = step_question(127, "1/255", Domain.GRID)
    found = replay(question, np.array([128]))
    assert (found.objective, found.flipped, found.adversarial_class) == (2, True, 1)
    assert (found.linf, found.l0) == (1 / 255, 1)


def test_no_flip_one_level_short():
    assert not replay(step_question(126, "1/255", Domain.GRID), np.array([127])).flipped


def test_the_box_reaches_what_the_grid_does_not():
    question = step_question(127, "0.002", Domain.BOX)
    assert replay(question, np.array([0.5])).flipped
    assert not replay(question, np.array([np.nextafter(0.5, 0)])).flipped


def test_an_unmoved_pixel_stands_for_its_exact_value():
    """51/255 = 1/5 has no double; the double nearest to it reads as 1/5 where it is unmoved."""
    threshold = Fraction(float(np.float32(0.2)))
    question = step_question(51, "0.01", Domain.BOX, threshold=0.2)
    at_clean = replay(question, question.region.clean_witness)
    assert at_clean.objective == question.clean_objective
    assert at_clean.flipped is (Fraction(1, 5) >= threshold)
    assert (at_clean.linf, at_clean.l2, at_clean.l0) == (0.0, 0.0, 0)


def test_zero_epsilon_admits_the_clean_image_only():
    question = step_question(51, "0", Domain.BOX)
    assert replay(question, question.region.clean_witness).l0 == 0
    with pytest.raises(WitnessError):
        replay(question, np.array([np.nextafter(0.2, 1)]))


@pytest.mark.parametrize(
    ("witness", "match"),
    [
        (np.array([130]), "must be in"),
        (np.array([-1]), "must be in"),
        (np.array([127, 127]), "shape"),
        (np.array([127.0]), "integers"),
    ],
)
def test_what_is_no_grid_witness_is_refused(witness, match):
    with pytest.raises(WitnessError, match=match):
        replay(step_question(127, "1/255", Domain.GRID), witness)


@pytest.mark.parametrize(
    ("witness", "match"),
    [
        (np.array([0.6]), "must be in"),
        (np.array([np.nan]), "finite"),
        (np.array([np.inf]), "finite"),
        (np.array([127]), "float64"),
        (np.array([0.5], dtype=np.float32), "float64"),
        (np.array([[0.5]]), "shape"),
    ],
)
def test_what_is_no_box_witness_is_refused(witness, match):
    with pytest.raises(WitnessError, match=match):
        replay(step_question(127, "0.002", Domain.BOX), witness)


@given(SEEDS)
def test_the_next_double_outside_the_budget_is_refused(seed):
    question = random_question(np.random.default_rng(seed), Domain.BOX, "any")
    region = question.region
    for ends, outward in ((region.float_lower, -9.0), (region.float_upper, 9.0)):
        replay(question, ends.copy())
        for pixel in range(len(ends)):
            outside = ends.copy()
            outside[pixel] = np.nextafter(outside[pixel], outward)
            with pytest.raises(WitnessError, match=f"pixel {pixel}"):
                replay(question, outside)


@given(SEEDS, st.sampled_from(list(Domain)))
def test_the_clean_input_replays_to_the_clean_objective(seed, domain):
    question = random_question(np.random.default_rng(seed), domain, "any")
    found = replay(question, question.region.clean_witness)
    assert found.objective == question.clean_objective
    assert found.adversarial_class == question.predicted
    assert found.flipped == (
        found.objective > 0 or (found.objective == 0 and question.threat.tie is Tie.FLIP)
    )


@given(SEEDS)
def test_on_the_grid_replay_equals_the_batch_forward_pass(seed):
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, "any")
    region = question.region
    witness = rng.integers(region.lower, region.upper + 1)
    scores = question.network.scores(witness[None, :], region.denominator)[0]
    assert replay(question, witness).objective == question.objective_of(scores)


@given(SEEDS, st.sampled_from(list(Domain)))
def test_what_changes_other_or_more_pixels_than_allowed_is_refused(seed, domain):
    rng = np.random.default_rng(seed)
    question = random_question(rng, domain, "any", local=True)
    threat, region = question.threat, question.region
    whole = Question(
        question.network,
        question.pixels,
        question.levels,
        question.label,
        replace(threat, mask=None, max_pixels=None),
    ).region
    moved = rng.random(len(question.pixels)) < 0.5
    ends = whole.upper if domain is Domain.GRID else whole.float_upper
    witness = np.where(moved, ends, whole.clean_witness)
    changed = np.flatnonzero(witness != whole.clean_witness)
    allowed = threat.mask is None or set(changed.tolist()) <= threat.mask
    few = threat.max_pixels is None or len(changed) <= threat.max_pixels
    if allowed and few:
        assert replay(question, witness).l0 == len(changed)
    else:
        with pytest.raises(WitnessError, match="must be in" if not allowed else "may change at"):
            replay(question, witness)
    assert replay(question, region.clean_witness).l0 == 0


def test_the_sizes_of_a_change():
    network = random_question(np.random.default_rng(0), Domain.GRID, "any").network
    pixels = np.zeros(network.pixels, dtype=np.int64)
    question = Question(network, pixels, 10, 0, Threat(Fraction(1), Domain.GRID, 10))
    found = replay(question, np.arange(network.pixels))
    assert network.pixels == 4
    assert (found.l0, found.linf, found.l1) == (3, 0.3, 0.6)
    assert found.l2 == pytest.approx(np.sqrt(0.14))
    assert (found.distance(Norm.LINF), found.distance(Norm.L1)) == (
        Fraction(3, 10),
        Fraction(6, 10),
    )
