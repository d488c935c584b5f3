"""The quantizer against its definition in fractions, and networks that begin with one."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from quantized import level_by_definition
from tiny import random_network, random_size

from bnnray.errors import UsageError
from bnnray.network import LARGEST_STEPS, Quantizer, Rounding, make_quantizer

STEPS = st.one_of(st.integers(1, 12), st.integers(1, LARGEST_STEPS))
ROUNDINGS = st.sampled_from(Rounding)


@given(st.integers(0, 2**63), st.integers(1, 2**48), STEPS, ROUNDINGS)
@example(2**48 - 1, 2**48, LARGEST_STEPS, Rounding.NEAREST)  # beyond 64 bits
def test_levels_are_those_of_the_definition(number, denominator, steps, rounding):
    quantizer, numerator = Quantizer(steps, rounding), number % (denominator + 1)
    expected = level_by_definition(Fraction(numerator, denominator), quantizer)
    found = quantizer.levels(np.array([[numerator]]), denominator)
    assert (found.dtype, found.tolist()) == (np.int64, [[expected]])
    assert quantizer.level(Fraction(numerator, denominator)) == expected


@given(STEPS, ROUNDINGS, st.data())
def test_borders_and_values_of_levels(steps, rounding, data):
    quantizer = Quantizer(steps, rounding)
    level = data.draw(st.integers(1, steps))
    border, little = quantizer.border(level), Fraction(1, 10**9)
    assert quantizer.level(border - little) == level - 1
    assert quantizer.level(border) == level - 1 + quantizer.owns_border(level)
    assert quantizer.level(min(border + little, Fraction(1))) == level
    assert quantizer.level(level * quantizer.step) == level


def test_halves_go_to_the_even_level_and_one_has_the_last_level():
    nearest, lower = Quantizer(10), Quantizer(10, Rounding.FLOOR)
    halves = np.array([1, 3, 5, 19, 20])
    assert nearest.levels(halves, 20).tolist() == [0, 2, 2, 10, 10]
    assert lower.levels(halves, 20).tolist() == [0, 1, 2, 9, 10]


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        (0.1, 10),
        ("0.1", 10),
        (Fraction(1, 3), 3),
        ("1/255", 255),
        ("1 / 3", 3),
        ("2/20", 10),
        (1, 1),
    ],
)
def test_steps_as_users_write_them(written, steps):
    assert make_quantizer(written, "floor") == Quantizer(steps, Rounding.FLOOR)


@pytest.mark.parametrize(
    "written",
    [0.3, 0, -0.1, 2, "1/0", "0/1", "a", "", "1e-3", True, None, 0.33333, "1/65536", "nan", 1e-9],
)
def test_other_steps_are_refused(written):
    with pytest.raises(UsageError, match="1 divided by a whole number"):
        make_quantizer(written)


def test_an_unknown_rounding_is_refused():
    with pytest.raises(UsageError, match="did you mean 'nearest'"):
        make_quantizer(0.1, "neares")


@given(st.integers(0, 2**32), STEPS, ROUNDINGS)
def test_a_network_sees_the_values_of_the_levels(seed, steps, rounding):
    rng, quantizer = np.random.default_rng(seed), Quantizer(steps, rounding)
    plain = random_network(rng, random_size(rng), nasty=True)
    network = replace(plain, quantizer=quantizer)
    assert network.behind_quantizer.digest == plain.digest != network.digest
    inputs = rng.integers(0, 61, size=(5, plain.pixels))
    values = [[Fraction(int(k), 60) for k in row] for row in inputs]
    levels = [[level_by_definition(x, quantizer) for x in row] for row in values]
    expected = plain.scores(np.array(levels), steps).tolist()
    assert network.scores(inputs, 60).tolist() == expected
    assert [network.scores_at(point).tolist() for point in values] == expected


def test_the_quantizer_is_a_part_of_the_digest():
    rng = np.random.default_rng(0)
    plain = random_network(rng, random_size(rng), nasty=False)
    quantizers = [None, Quantizer(10), Quantizer(10, Rounding.FLOOR), Quantizer(9)]
    digests = {replace(plain, quantizer=q).digest for q in quantizers}
    assert len(digests) == 4
