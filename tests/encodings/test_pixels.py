"""The pixel variables admit exactly the inputs of the region, and measure their distance."""

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracle import grid_inputs
from tiny import random_question

from bnnray.encodings import PixelVariables
from bnnray.encodings.linear_model import RowBuilder
from bnnray.threat import Domain, Norm, replay

DOMAINS = st.sampled_from(list(Domain))
NORMS = st.sampled_from([None, *Norm])
SEEDS = st.integers(0, 2**32 - 1)


def question_and_variables(seed: int, domain: Domain, norm: Norm | None):
    question = random_question(np.random.default_rng(seed), domain, "any", local=True)
    return question, PixelVariables(question, np.arange(len(question.pixels)), norm)


def holds(pixels: PixelVariables, values: np.ndarray, out: RowBuilder | None = None) -> bool:
    out = out or RowBuilder()
    pixels.add_rows(out)
    matrix, rhs, equal = out.build(pixels.columns)
    assert not equal.any()
    inside = (values >= pixels.lower).all() and (values <= pixels.upper).all()
    return bool(inside and (matrix @ values <= rhs + 1e-9).all())


@given(SEEDS, NORMS)
def test_every_input_of_the_grid_holds_and_comes_back(seed, norm):
    question, pixels = question_and_variables(seed, Domain.GRID, norm)
    for witness in grid_inputs(question)[:60]:
        values = pixels.values_of(witness)
        assert holds(pixels, values)
        assert (pixels.witness_of(values) == witness).all()
        if norm is not None:
            total = Fraction(values[pixels.distance].sum()) / question.region.denominator
            assert total == replay(question, witness).distance(norm)


@given(SEEDS)
def test_no_values_of_the_grid_leave_the_region(seed):
    question, pixels = question_and_variables(seed, Domain.GRID, None)
    region = {tuple(row) for row in grid_inputs(question).tolist()}
    steps = [range(int(a), int(b) + 1) for a, b in zip(pixels.lower, pixels.upper, strict=True)]
    for values in itertools.islice(itertools.product(*steps), 500):
        assignment = np.array(values, dtype=float)
        if holds(pixels, assignment):
            assert tuple(pixels.witness_of(assignment).tolist()) in region


@given(SEEDS, NORMS)
def test_real_inputs_hold_and_come_back_within_the_region(seed, norm):
    rng = np.random.default_rng(seed)
    question, pixels = question_and_variables(seed, Domain.BOX, norm)
    region = question.region
    moved = rng.permutation(np.flatnonzero(region.upper > region.lower))[: region.max_pixels]
    witness = region.float_clean.copy()
    witness[moved] = rng.uniform(region.float_lower[moved], region.float_upper[moved])
    values = pixels.values_of(witness)
    assert holds(pixels, values)
    back = pixels.witness_of(values)
    replay(question, back)
    assert np.allclose(back, witness, atol=1e-12)
    if norm is not None:
        unit = question.threat.epsilon
        distance = replay(question, witness).distance(norm)
        assert abs(float(unit) * values[pixels.distance].sum() - distance) < 1e-12


@given(SEEDS, DOMAINS)
def test_a_switch_that_is_off_keeps_its_pixel_clean(seed, domain):
    """Solvers leave dust on variables that should be 0."""
    question, pixels = question_and_variables(seed, domain, None)
    if pixels.limit is None:
        return
    values = np.full(pixels.columns, 1e-7)
    values[: pixels.pixels] = pixels.upper[: pixels.pixels]
    assert replay(question, pixels.witness_of(values)).l0 == 0


@given(SEEDS, DOMAINS, st.sampled_from(list(Norm)))
def test_within_a_distance_no_nearer_input_is_cut_off(seed, domain, norm):
    rng = np.random.default_rng(seed)
    question, pixels = question_and_variables(seed, domain, norm)
    region = question.region
    moved = rng.permutation(np.flatnonzero(region.upper > region.lower))[: region.max_pixels]
    real = region.clean / region.denominator
    real[moved] = rng.uniform(region.float_lower[moved], region.float_upper[moved])
    witness = region.nearest(real)
    distance = replay(question, witness).distance(norm)
    for within in (distance, distance * Fraction(9, 10)):
        out = RowBuilder()
        pixels.add_within(out, within)
        assert holds(pixels, pixels.values_of(witness), out) or within < distance
    assert pixels.distance_above(pixels.values_of(witness)[pixels.distance].sum()) <= distance


@given(SEEDS, st.sampled_from(list(Norm)), st.floats(0, 9))
def test_a_limit_of_the_distance_is_rounded_up_to_a_level(seed, norm, value):
    """The solver's value, its tolerance taken off, lies at most a level below."""
    question, pixels = question_and_variables(seed, Domain.GRID, norm)
    levels = pixels.distance_above(value) * question.threat.levels
    assert levels.denominator == 1
    assert value - 1e-4 <= levels < value + 1
    assert pixels.distance_above(-float("inf")) == 0
