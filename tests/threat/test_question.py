"""Targets, regions and objectives."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import grid_maximum
from tiny import random_question

from bnnray.errors import UsageError
from bnnray.threat import Domain, Goal, Question, Threat, make_region

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.sampled_from(list(Domain)))
def test_targets_are_the_other_classes_in_the_order_of_their_scores(seed, domain):
    question = random_question(np.random.default_rng(seed), domain, "any")
    scores = question.clean_scores
    assert set(question.targets) == set(range(question.network.classes)) - {question.attacked}
    pairs = [(-scores[t], t) for t in question.targets]
    assert pairs == sorted(pairs)


@given(SEEDS)
def test_the_runner_up_is_never_the_attacked_class(seed):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "runner-up")
    assert len(question.targets) == 1
    assert question.targets[0] != question.attacked


def test_a_goal_that_is_the_attacked_class_has_no_target():
    question = random_question(np.random.default_rng(3), Domain.GRID, "runner-up")
    threat = Threat(question.threat.epsilon, goal=Goal(str(question.predicted)))
    assert Question(question.network, question.pixels, question.levels, 0, threat).targets == ()


@given(SEEDS)
def test_objectives_are_linear_in_the_last_hidden_layer(seed):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
    last = question.network.activations(question.pixels[None, :], question.levels)[-1][0]
    for objective in question.objectives:
        value = objective.constant + sum(
            c * int(h) for c, h in zip(objective.coefficients, last, strict=True)
        )
        exact = Fraction(value, objective.denominator)
        assert exact == objective.of_scores(question.clean_scores)
        assert exact <= objective.maximum
        assert objective.attainable_floor(exact) == exact


@given(SEEDS, st.fractions(-20, 20, max_denominator=50))
def test_attainable_values_bracket_any_number(seed, value):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
    for objective in question.objectives:
        floor = objective.attainable_floor(value)
        assert floor <= max(value, objective.maximum)
        if objective.step > 0 and value < objective.maximum:
            above = objective.attainable_above(value)
            assert floor <= value < above
            assert above - floor == objective.step
            assert objective.attainable_floor(above) == above


@given(SEEDS)
def test_no_input_of_the_grid_exceeds_the_maximum(seed):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
    assert grid_maximum(question) <= question.maximum


@given(SEEDS, st.sampled_from(["0", "1/10", "0.0001", "1/3", "1", "0.123456789"]))
def test_the_ends_of_the_box_are_exact_and_inward(seed, epsilon):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=5)
    budget = Fraction(epsilon)
    region = make_region(pixels, 255, Threat(budget))
    for i, k in enumerate(pixels.tolist()):
        clean = Fraction(k, 255)
        assert Fraction(int(region.lower[i]), region.denominator) == max(0, clean - budget)
        assert Fraction(int(region.upper[i]), region.denominator) == min(1, clean + budget)
        for value in (region.float_lower[i], region.float_upper[i]):
            inside = abs(Fraction(value) - clean) <= budget and 0 <= Fraction(value) <= 1
            assert inside or value == region.float_clean[i]


@given(SEEDS, st.sampled_from(["0", "1/255", "0.01", "1/2", "1"]))
def test_the_grid_holds_exactly_the_levels_within_epsilon(seed, epsilon):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=3)
    threat = Threat(Fraction(epsilon), domain=Domain.GRID)
    region = make_region(pixels, 255, threat)
    for i, k in enumerate(pixels.tolist()):
        allowed = [j for j in range(256) if abs(j - k) <= threat.epsilon * 255]
        assert (region.lower[i], region.upper[i]) == (allowed[0], allowed[-1])


def test_a_finer_grid_keeps_the_clean_image_and_another_is_refused():
    pixels = np.array([1, 3])
    finer = make_region(pixels, 4, Threat(Fraction(1, 8), Domain.GRID, levels=8))
    assert finer.clean.tolist() == [2, 6]
    with pytest.raises(UsageError, match="multiple of the data's 4"):
        make_region(pixels, 4, Threat(Fraction(1, 8), Domain.GRID, levels=6))


def test_impossible_questions_are_refused():
    question = random_question(np.random.default_rng(1), Domain.GRID, "any")
    network, pixels, levels = question.network, question.pixels, question.levels
    threat = question.threat
    with pytest.raises(UsageError, match="takes"):
        Question(network, np.zeros(99, dtype=np.int64), levels, 0, threat)
    with pytest.raises(UsageError, match="pixels must be integers"):
        Question(network, pixels + 99, levels, 0, threat)
    with pytest.raises(UsageError, match="label must be a class"):
        Question(network, pixels, levels, 99, threat)
    with pytest.raises(UsageError, match="goal must be a class"):
        Question(network, pixels, levels, 0, Threat(Fraction(0), goal=Goal("99")))
    with pytest.raises(UsageError, match="goal must be"):
        Goal("second")


def test_impossible_localities_are_refused():
    with pytest.raises(UsageError, match="a mask must leave at least one pixel"):
        Threat(Fraction(1), mask=frozenset())
    with pytest.raises(UsageError, match="max_pixels must be at least 1; got 0"):
        Threat(Fraction(1), max_pixels=0)
    for wrong in (-1, 2):
        with pytest.raises(UsageError, match=f"pixels from 0 to 1; got {wrong}"):
            make_region(np.array([1, 3]), 4, Threat(Fraction(1, 8), mask=frozenset([0, wrong])))


@given(SEEDS, st.sampled_from(list(Domain)))
def test_a_mask_fixes_what_is_outside_and_a_limit_counts_only_where_it_binds(seed, domain):
    question = random_question(np.random.default_rng(seed), domain, local=True)
    threat, region = question.threat, question.region
    for pixel in set(range(len(question.pixels))) - set(threat.mask or range(99)):
        ends = (region.lower[pixel], region.clean[pixel], region.upper[pixel])
        assert len({int(e) for e in ends}) == 1
    free = int((region.upper > region.lower).sum())
    binds = threat.max_pixels is not None and threat.max_pixels < free
    assert region.max_pixels == (threat.max_pixels if binds else None)
