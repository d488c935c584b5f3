"""Budgets behind a quantizer: every level that an input reaches, and an input for each of them."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import random_question

from bnnray.errors import UsageError, WitnessError
from bnnray.network import Dense, Network, OutputLayer, Quantizer, Rounding, SignLayer
from bnnray.threat import Domain, Question, Threat, activations, replay

LITTLE = Fraction(1, 10**15)


def network_of(quantizer: Quantizer, pixels: int = 1) -> Network:
    """Any network with a quantizer."""
    one = np.ones(1, dtype=np.float32)
    layer = SignLayer(Dense(np.ones((1, pixels), np.int8)), one, -one)
    return Network(
        (pixels,), (layer,), OutputLayer(Dense(np.array([[-1], [1]], np.int8))), quantizer
    )


def question_of(quantizer: Quantizer, pixel: int, levels: int, threat: Threat) -> Question:
    return Question(network_of(quantizer), np.array([pixel]), levels, 0, threat)


def ends_of(question: Question) -> tuple[Fraction, Fraction, Fraction]:
    """Lower end, clean value and upper end of the only pixel's budget."""
    clean = Fraction(int(question.pixels[0]), question.levels)
    epsilon = question.threat.epsilon
    return max(Fraction(0), clean - epsilon), clean, min(Fraction(1), clean + epsilon)


def read(question: Question, witness: np.ndarray) -> Fraction:
    """The value that a witness of the only pixel stands for."""
    if question.threat.domain is Domain.GRID:
        return Fraction(int(witness[0]), question.threat.levels)
    return question.region.read(witness)[0]


@st.composite
def box_questions(draw) -> Question:
    """Budgets whose ends lie anywhere, often on borders of levels."""
    quantizer = Quantizer(draw(st.integers(1, 12)), draw(st.sampled_from(Rounding)))
    n = quantizer.steps
    levels = draw(st.sampled_from([1, n, 2 * n, 16, 20, 255]))
    on_borders = st.integers(0, 4 * n).map(lambda k: Fraction(k, 4 * n))
    decimals = st.integers(0, 10**6).map(lambda k: Fraction(k, 10**6))
    epsilon = draw(st.one_of(on_borders, decimals, st.just(Fraction(1, 10**12))))
    pixel = draw(st.integers(0, levels))
    return question_of(quantizer, pixel, levels, Threat(epsilon))


@st.composite
def grid_questions(draw) -> Question:
    quantizer = Quantizer(draw(st.integers(1, 12)), draw(st.sampled_from(Rounding)))
    levels = draw(st.sampled_from([1, 2, 4, 5, 10, 16]))
    finer = draw(st.integers(1, 3)) * levels
    while finer < quantizer.steps:
        finer += levels
    threat = Threat(
        draw(st.integers(0, 40).map(lambda k: Fraction(k, 40))), Domain.GRID, levels=finer
    )
    return question_of(quantizer, draw(st.integers(0, levels)), levels, threat)


@given(box_questions())
def test_on_the_box_the_levels_are_those_between_the_ends(question):
    quantizer, region = question.network.quantizer, question.searched.region
    lower, clean, upper = (quantizer.level(x) for x in ends_of(question))
    assert (region.lower[0], region.clean[0], region.upper[0]) == (lower, clean, upper)
    assert (region.denominator, region.domain) == (quantizer.steps, Domain.GRID)


@given(grid_questions())
def test_on_the_grid_the_levels_are_those_of_the_grid_points(question):
    quantizer, region = question.network.quantizer, question.searched.region
    lower, _, upper = ends_of(question)
    points = (Fraction(k, question.threat.levels) for k in range(question.threat.levels + 1))
    reached = {quantizer.level(x) for x in points if lower <= x <= upper}
    assert reached == set(range(int(region.lower[0]), int(region.upper[0]) + 1))


@given(st.one_of(box_questions(), grid_questions()))
def test_each_level_has_an_input_in_the_budget_and_none_is_nearer(question):
    quantizer, searched = question.network.quantizer, question.searched
    lower, clean, upper = ends_of(question)
    for level in range(int(searched.region.lower[0]), int(searched.region.upper[0]) + 1):
        witness = searched.input_of(np.array([level]))
        value = read(question, witness)
        assert lower <= value <= upper
        assert quantizer.level(value) == level
        found = replay(question, witness)
        assert found.changes == ((value - clean,) if value != clean else ())
        assert abs(value - clean) <= least_distance(question, level) + LITTLE


def least_distance(question: Question, level: int) -> Fraction:
    """From the clean pixel to the inputs with a level; on the box the infimum."""
    quantizer = question.network.quantizer
    lower, clean, upper = ends_of(question)
    if question.threat.domain is Domain.GRID:
        points = (Fraction(k, question.threat.levels) for k in range(question.threat.levels + 1))
        inside = (x for x in points if lower <= x <= upper and quantizer.level(x) == level)
        return min(abs(x - clean) for x in inside)
    here = quantizer.level(clean)
    if level == here:
        return Fraction(0)
    return abs(quantizer.border(level if level > here else level + 1) - clean)


@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from(Rounding))
def test_levels_and_their_inputs_are_judged_alike(seed, steps, rounding):
    """The network behind the quantizer, on levels, says what the whole says of their inputs."""
    rng = np.random.default_rng(seed)
    domain = list(Domain)[seed % 2]
    plain = random_question(rng, domain, local=True)
    threat = plain.threat
    if domain is Domain.GRID:
        threat = replace(threat, levels=plain.levels * -(-steps // plain.levels))
    network = replace(plain.network, quantizer=Quantizer(steps, rounding))
    question = replace(plain, network=network, threat=threat)
    searched = question.searched
    assert searched.searched is searched
    assert searched.targets == question.targets
    assert searched.attacked == question.attacked
    if not question.targets:
        return
    region = searched.region
    assert replay(searched, region.clean_witness).objective == question.clean_objective
    for _ in range(5):
        levels = np.where(
            rng.random(len(region.clean)) < 0.5,
            region.clean,
            rng.integers(region.lower, region.upper + 1),
        )
        if region.max_pixels and np.count_nonzero(levels != region.clean) > region.max_pixels:
            with pytest.raises(WitnessError, match="may change at most"):
                replay(searched, levels)
            continue
        found = replay(searched, levels)
        scores = searched.network.scores(levels[None, :], steps)[0]
        assert found.objective == question.objective_of(scores)
        assert found.l0 == np.count_nonzero(levels != region.clean)
        assert max(map(abs, found.changes), default=0) <= threat.epsilon
        behind = activations(searched, levels)
        whole = activations(question, searched.input_of(levels))
        for a, b in zip(behind, whole, strict=True):
            assert a.tolist() == b.tolist()


def test_an_end_that_is_no_double_reaches_its_level():
    """0.15 is half way between levels 1 and 2, goes to the even one, and lies above its double."""
    question = question_of(Quantizer(10), 26, 260, Threat(Fraction(1, 20)))
    assert float(np.nextafter(0.15, 1)) > Fraction(15, 100) > Fraction(0.15)
    witness = question.searched.input_of(np.array([2]))
    assert question.region.read(witness) == [Fraction(15, 100)]
    assert replay(question, witness).changes == (Fraction(1, 20),)
    with pytest.raises(WitnessError, match="must be in"):
        replay(question, np.nextafter(witness, 1))


def test_without_a_quantizer_the_ends_stay_inward():
    question = question_of(Quantizer(10), 26, 260, Threat(Fraction(1, 20)))
    plain = replace(question, network=question.network.behind_quantizer)
    assert plain.region.float_upper[0] < question.region.float_upper[0]
    assert plain.searched is plain


def test_a_level_beside_a_clean_pixel_on_the_border_is_reached_strictly_inside():
    """1/20 is level 0; the double nearest to it is above it and stands for the pixel itself."""
    question = question_of(Quantizer(10), 1, 20, Threat(Fraction(1, 100)))
    witness = question.searched.input_of(np.array([1]))
    assert Fraction(0.05) > Fraction(1, 20)
    assert witness[0] == np.nextafter(0.05, 1)
    down = question_of(Quantizer(10, Rounding.FLOOR), 1, 5, Threat(Fraction(1, 100)))
    assert down.searched.input_of(np.array([1]))[0] == np.nextafter(0.2, 0)


@pytest.mark.parametrize("wrong", [np.array([3]), np.array([-1]), np.array([0.0])])
def test_what_is_no_level_of_the_budget_is_refused(wrong):
    question = question_of(Quantizer(10), 0, 255, Threat(Fraction(1, 5)))
    with pytest.raises(WitnessError):
        replay(question.searched, wrong)


def test_a_grid_coarser_than_the_quantizer_is_refused():
    with pytest.raises(UsageError, match=r"levels of at least 10, .* got 5"):
        question_of(Quantizer(10), 1, 5, Threat(Fraction(1, 5), Domain.GRID, levels=5))


def test_the_furthest_a_level_moves_is_within_the_threat_to_levels():
    for steps, rounding, number in itertools.product([3, 10], Rounding, range(61)):
        for pixel in range(61):
            threat = Threat(Fraction(number, 60))
            searched = question_of(Quantizer(steps, rounding), pixel, 60, threat).searched
            region = searched.region
            furthest = max(region.upper - region.clean, region.clean - region.lower)
            assert Fraction(int(furthest[0]), steps) <= searched.threat.epsilon
