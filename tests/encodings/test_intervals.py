"""Interval arithmetic against all inputs of a tiny grid, and random inputs of a box."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracle import boxes, grid_inputs, true_maximum
from tiny import random_question

from bnnray.encodings import interval_bound, interval_ranges
from bnnray.threat import Domain

LOCAL = st.booleans()
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, LOCAL)
def test_settled_units_never_change_on_the_grid(seed, local):
    question = random_question(np.random.default_rng(seed), Domain.GRID, local=local)
    layers = question.network.activations(grid_inputs(question), question.region.denominator)
    for found, layer in zip(interval_ranges(question), layers, strict=True):
        settled = found.settled
        fixed = settled != 0
        assert (layer[:, fixed] == settled[fixed]).all()


@given(SEEDS, LOCAL)
def test_first_layer_ranges_are_the_true_ones_on_the_grid(seed, local):
    question = random_question(np.random.default_rng(seed), Domain.GRID, local=local)
    sums = grid_inputs(question) @ question.network.hidden[0].rows().T.astype(int)
    first = interval_ranges(question)[0]
    assert (sums.min(axis=0) == first.lower).all()
    assert (sums.max(axis=0) == first.upper).all()


@given(SEEDS, LOCAL)
def test_settled_units_never_change_on_the_box(seed, local):
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.BOX, local=local)
    ranges, choices = interval_ranges(question), boxes(question)
    for _ in range(8):
        lower, upper = choices[int(rng.integers(len(choices)))]
        parts = [Fraction(int(n), 16) for n in rng.integers(0, 17, size=len(lower))]
        point = [a + part * (b - a) for a, b, part in zip(lower, upper, parts, strict=True)]
        for found, layer in zip(ranges, question.network.activations_at(point), strict=True):
            fixed = found.settled != 0
            assert (layer[fixed] == found.settled[fixed]).all()


@given(SEEDS, st.sampled_from(list(Domain)), LOCAL)
def test_the_interval_bound_is_a_bound(seed, domain, local):
    question = random_question(np.random.default_rng(seed), domain, "any", local=local)
    last = interval_ranges(question)[-1]
    bound = max(interval_bound(o, last) for o in question.objectives)
    assert bound >= true_maximum(question)
