"""Random networks for hypothesis, on purpose full of ties and extreme numbers."""

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from bnnray.network import Dense, Network, OutputLayer, SignLayer

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, -1e-45, 3.4028234663852886e38, 0.10000000149011612]
)


@dataclass(frozen=True)
class Case:
    network: Network
    levels: int
    numerators: np.ndarray


def _int8(rows, inputs, values):
    row = st.lists(st.sampled_from(values), min_size=inputs, max_size=inputs)
    return st.lists(row, min_size=rows, max_size=rows).map(lambda w: np.array(w, dtype=np.int8))


def _float32(length, floats):
    values = st.lists(floats, min_size=length, max_size=length)
    return values.map(lambda v: np.array(v, dtype=np.float32))


@st.composite
def sign_layers(draw, inputs, units, levels):
    weights = draw(_int8(units, inputs, draw(st.sampled_from([[-1, 1], [-1, 0, 1]]))))
    if draw(st.booleans()):
        scale = _float32(units, st.sampled_from([levels, -levels, 0]))
        shift = _float32(units, st.integers(-2 * levels, 2 * levels))
    else:
        scale, shift = _float32(units, FLOATS), _float32(units, FLOATS)
    return SignLayer(Dense(weights), draw(scale), draw(shift))


@st.composite
def output_layers(draw, inputs, classes):
    dense = Dense(draw(_int8(classes, inputs, [-1, 0, 1])))
    floats = draw(st.sampled_from([None, FLOATS, st.integers(-3, 3)]))
    if floats is None:
        return OutputLayer(dense)
    return OutputLayer(dense, draw(_float32(classes, floats)), draw(_float32(classes, floats)))


@st.composite
def networks(draw, levels=1):
    shape = draw(st.sampled_from([(1,), (3,), (9,), (2, 2)]))
    widths = [int(np.prod(shape)), *draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))]
    hidden = tuple(
        draw(sign_layers(inputs, units, levels if number == 0 else 1))
        for number, (inputs, units) in enumerate(itertools.pairwise(widths))
    )
    return Network(shape, hidden, draw(output_layers(widths[-1], draw(st.integers(2, 4)))))


@st.composite
def cases(draw):
    """A network with its levels and some inputs (n, pixels)."""
    levels = draw(st.sampled_from([1, 2, 16, 255]))
    network = draw(networks(levels))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    numerators = rng.integers(0, levels + 1, size=(20, network.pixels))
    return Case(network, levels, numerators)
