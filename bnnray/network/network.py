"""The exact network: the stored model in inference form, which defines the network.

Inputs are rationals in [0, 1]. On inputs n / denominator everything is integer arithmetic;
at a real point the first layer's sums are decided in rationals where float64 leaves doubt. Behind
a quantizer the first layer's inputs are the levels, and all is integer arithmetic anyway.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.errors import ModelError
from bnnray.network.layers import OutputLayer, ScoreArray, SignLayer
from bnnray.network.linear import IntArray
from bnnray.network.quantizer import Quantizer


@dataclass(frozen=True, eq=False)
class Network:
    """A binarized neural network.

    Args:
        input_shape: shape of one image, such as (28, 28); inputs are given flattened.
        hidden: the hidden layers, first to last, at least one.
        output: the scores.
        quantizer: what inputs pass before the first layer, or None.

    Raises:
        ModelError: layers that do not fit each other.
    """

    input_shape: tuple[int, ...]
    hidden: tuple[SignLayer, ...]
    output: OutputLayer
    quantizer: Quantizer | None = None

    def __post_init__(self) -> None:
        if not self.hidden:
            raise ModelError("a network needs at least one hidden layer; got none")
        width = math.prod(self.input_shape)
        for number, linear in enumerate([*(h.linear for h in self.hidden), self.output.linear]):
            if linear.inputs != width:
                raise ModelError(
                    f"layer {number} must take {width} inputs, as the layer before gives; "
                    f"its weights take {linear.inputs}"
                )
            width = linear.units

    @property
    def pixels(self) -> int:
        """How many inputs an image has."""
        return math.prod(self.input_shape)

    @property
    def classes(self) -> int:
        return self.output.classes

    @property
    def depth(self) -> int:
        """How many hidden layers there are."""
        return len(self.hidden)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return tuple(layer.units for layer in self.hidden)

    @cached_property
    def behind_quantizer(self) -> Network:
        """The network without its quantizer: on inputs level / steps it gives what this one gives
        on inputs of these levels."""
        return self if self.quantizer is None else replace(self, quantizer=None)

    def activations(self, numerators: IntArray, denominator: int) -> list[IntArray]:
        """Activations (n, units) of each hidden layer for inputs (n, pixels) / denominator."""
        if self.quantizer is not None:
            numerators = self.quantizer.levels(numerators, denominator)
            denominator = self.quantizer.steps
        first = self.hidden[0]
        layers = [first.fire(numerators, first.pixel_thresholds(denominator))]
        for layer in self.hidden[1:]:
            layers.append(layer.fire(layers[-1], layer.sign_thresholds))
        return layers

    def scores(self, numerators: IntArray, denominator: int) -> ScoreArray:
        """Integer scores (n, classes), over ``output.denominator``, of inputs / denominator."""
        return self.output.scores(self.activations(numerators, denominator)[-1])

    def predict(self, numerators: IntArray, denominator: int) -> IntArray:
        """The class of each input, (n,); ties go to the lowest class."""
        return np.argmax(self.scores(numerators, denominator), axis=1).astype(np.int64)

    def activations_at(self, point: Sequence[Fraction]) -> list[IntArray]:
        """Activations (units,) of each hidden layer at one real point, given as rationals."""
        if self.quantizer is not None:
            levels = np.array([self.quantizer.level(x) for x in point], dtype=np.int64)
            behind = self.behind_quantizer.activations(levels[None, :], self.quantizer.steps)
            return [layer[0] for layer in behind]
        layers = [self._first_signs(point)]
        for layer in self.hidden[1:]:
            layers.append(layer.fire(layers[-1][None, :], layer.sign_thresholds)[0])
        return layers

    def scores_at(self, point: Sequence[Fraction]) -> ScoreArray:
        """Integer scores (classes,) at one real point, given as rationals."""
        return self.output.scores(self.activations_at(point)[-1][None, :])[0]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that can change a score."""
        head: list[object] = [list(self.input_shape), list(self.widths)]
        if self.quantizer is not None:  # networks without one keep their digests
            head.append(["quantizer", self.quantizer.steps, self.quantizer.rounding.value])
        h = hashlib.sha256(json.dumps(head).encode())
        arrays: list[npt.NDArray[np.generic] | None] = []
        for layer in self.hidden:
            arrays += [layer.linear.matrix(), layer.scale, layer.shift]
        arrays += [self.output.linear.matrix(), self.output.scale, self.output.shift]
        for array in arrays:
            h.update(b"none" if array is None else _array_bytes(array))
        return h.hexdigest()

    def _first_signs(self, point: Sequence[Fraction]) -> IntArray:
        """Signs of the first layer: float64 decides what is clear, rationals the rest."""
        first = self.hidden[0]
        rows = first.rows()
        floats = np.array([float(x) for x in point])
        margins = rows.astype(np.float64) @ floats - np.array([float(t) for t in first.thresholds])
        doubt = 4 * len(point) * np.finfo(np.float64).eps * (np.abs(floats).sum() + 1)
        thresholds = np.abs(np.array([float(t) for t in first.thresholds]))
        unclear = np.abs(margins) <= doubt + thresholds * 1e-15
        signs = np.where(margins >= 0, 1, -1).astype(np.int64)
        for unit in np.flatnonzero(unclear):
            total = sum((int(w) * x for w, x in zip(rows[unit], point, strict=True)), Fraction(0))
            signs[unit] = 1 if total >= first.thresholds[unit] else -1
        return signs


def _array_bytes(array: npt.NDArray[np.generic]) -> bytes:
    header = f"{array.dtype.str}{array.shape}".encode()
    return header + np.ascontiguousarray(array).tobytes()
