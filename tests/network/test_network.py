"""The exact network against its definition, unit by unit in rationals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import random_network, random_size

from bnnray.errors import ModelError
from bnnray.network import Dense, Network, OutputLayer, SignLayer

SEEDS = st.integers(0, 2**32 - 1)


def defined_scores(network: Network, point: list[Fraction]) -> list[Fraction]:
    """The contract's words: fires iff s * a + b >= 0, with s and b read as rationals."""
    values = point
    for layer in network.hidden:
        weights = layer.linear.matrix().tolist()
        pairs = zip(weights, layer.scale.tolist(), layer.shift.tolist(), strict=True)
        values = [
            1
            if Fraction(s) * sum(w * v for w, v in zip(row, values, strict=True)) + Fraction(b) >= 0
            else -1
            for row, s, b in pairs
        ]
    sums = [
        sum(w * v for w, v in zip(row, values, strict=True))
        for row in network.output.linear.matrix().tolist()
    ]
    if network.output.scale is None or network.output.shift is None:
        return [Fraction(s) for s in sums]
    affine = zip(sums, network.output.scale.tolist(), network.output.shift.tolist(), strict=True)
    return [Fraction(m) * s + Fraction(b) for s, m, b in affine]


@given(SEEDS)
def test_integer_arithmetic_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    size = random_size(rng)
    network = random_network(rng, size, nasty=True)
    inputs = rng.integers(0, size.levels + 1, size=(8, size.pixels))
    scores = network.scores(inputs, size.levels)
    for row, image in zip(scores, inputs, strict=True):
        point = [Fraction(int(k), size.levels) for k in image]
        want = defined_scores(network, point)
        assert [Fraction(int(s), network.output.denominator) for s in row] == want
        assert (network.scores_at(point) == row).all()


@given(SEEDS)
def test_a_real_point_near_a_threshold_is_decided_in_rationals(seed):
    rng = np.random.default_rng(seed)
    size = random_size(rng)
    network = random_network(rng, size, nasty=True)
    threshold = network.hidden[0].thresholds[0]
    nudge = Fraction(int(rng.integers(-1, 2)), 10 ** int(rng.integers(15, 40)))
    rest = [Fraction(int(rng.integers(0, 9)), 8) for _ in range(size.pixels - 1)]
    point = [threshold + nudge, *rest]
    scores = network.scores_at(point)
    want = defined_scores(network, point)
    assert [Fraction(int(s), network.output.denominator) for s in scores] == want


def test_ties_go_to_the_lowest_class():
    layer = SignLayer(Dense(np.ones((1, 1), np.int8)), *_floats([1.0], [-1.0]))
    output = OutputLayer(Dense(np.array([[-1], [1], [1]], np.int8)))
    network = Network((1,), (layer,), output)
    assert network.predict(np.array([[1], [0]]), 1).tolist() == [1, 0]


def test_zero_scale_is_constant_and_negative_zero_fires():
    weights = Dense(np.ones((3, 1), np.int8))
    layer = SignLayer(weights, *_floats([0.0, 0.0, 0.0], [0.5, -0.5, -0.0]))
    network = Network((1,), (layer,), OutputLayer(Dense(np.ones((2, 3), np.int8))))
    assert network.activations(np.array([[0], [1]]), 1)[0].tolist() == [[1, -1, 1], [1, -1, 1]]


def test_scores_beyond_64_bits_are_python_integers():
    layer = SignLayer(Dense(np.ones((1, 1), np.int8)), *_floats([1.0], [0.0]))
    tiny = np.float32(1e-40)
    output = OutputLayer(Dense(np.array([[1], [-1]], np.int8)), *_floats([tiny, 1e30], [0.0, 0.0]))
    scores = Network((1,), (layer,), output).scores(np.array([[1]]), 1)[0]
    assert Fraction(scores[0], output.denominator) == Fraction(float(tiny))
    assert Fraction(scores[1], output.denominator) == -Fraction(float(np.float32(1e30)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_parameters_are_refused(bad):
    weights = Dense(np.ones((1, 1), np.int8))
    with pytest.raises(ModelError, match="must be finite"):
        SignLayer(weights, *_floats([bad], [0.0]))
    with pytest.raises(ModelError, match="must be finite"):
        OutputLayer(Dense(np.ones((2, 1), np.int8)), *_floats([1.0, 1.0], [0.0, bad]))


def test_weights_other_than_minus_one_zero_one_are_refused():
    with pytest.raises(ModelError, match=r"-1, 0 or \+1; got 2"):
        Dense(np.array([[2]], np.int8))
    with pytest.raises(ModelError, match="int8"):
        Dense(np.array([[1]], np.int64))


def test_layers_that_do_not_fit_are_refused():
    first = SignLayer(Dense(np.ones((2, 4), np.int8)), *_floats([1.0, 1.0], [0.0, 0.0]))
    with pytest.raises(ModelError, match="layer 1 must take 2 inputs"):
        Network((2, 2), (first,), OutputLayer(Dense(np.ones((2, 3), np.int8))))
    with pytest.raises(ModelError, match="at least one hidden layer"):
        Network((4,), (), OutputLayer(Dense(np.ones((2, 4), np.int8))))


@given(SEEDS)
def test_the_digest_changes_with_every_parameter(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, random_size(rng), nasty=False)
    first = network.hidden[0]
    scale = first.scale.copy()
    scale[0] = np.nextafter(scale[0], np.float32(9))
    weights = first.linear.matrix().copy()
    weights[0, 0] = -1 if weights[0, 0] == 1 else 1
    for changed in (
        SignLayer(first.linear, scale, first.shift),
        SignLayer(Dense(weights), first.scale, first.shift),
    ):
        other = Network(network.input_shape, (changed, *network.hidden[1:]), network.output)
        assert other.digest != network.digest


def _floats(*values: list[float]) -> list[np.ndarray]:
    return [np.array(v, dtype=np.float32) for v in values]
