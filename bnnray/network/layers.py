"""Hidden and output layers of the exact network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.errors import ModelError
from bnnray.network.linear import IntArray, Linear, Weights

Float32Array = npt.NDArray[np.float32]
ScoreArray = npt.NDArray[np.int64] | npt.NDArray[np.object_]
"""Integer scores; Python integers (dtype object) where they could pass int64."""

SAFE_INT64 = 2**62


@dataclass(frozen=True, eq=False)
class SignLayer:
    """Units that fire (+1) iff ``scale * a + shift >= 0``, else give -1; a = weights . input.

    ``scale`` and ``shift`` are float32 and read as the rationals they are. A unit with a
    negative scale is negated and one with scale 0 is constant, so that every unit reads
    ``sign * a >= threshold``.

    Args:
        linear: the weights.
        scale, shift: float32 of shape (units,).

    Raises:
        ModelError: wrong shape or type, or a number that is not finite.
    """

    linear: Linear
    scale: Float32Array
    shift: Float32Array

    def __post_init__(self) -> None:
        _check_float32("hidden scale", self.scale, self.linear.units)
        _check_float32("hidden shift", self.shift, self.linear.units)

    @property
    def inputs(self) -> int:
        return self.linear.inputs

    @property
    def units(self) -> int:
        return self.linear.units

    @cached_property
    def signs(self) -> IntArray:
        """(units,), -1, 0 or +1: what the weights of each unit are multiplied by."""
        return np.sign(self.scale).astype(np.int64)

    @cached_property
    def thresholds(self) -> tuple[Fraction, ...]:
        """The rational t of each unit: it fires iff ``sign * a >= t``."""
        return tuple(
            _threshold(float(s), float(b)) for s, b in zip(self.scale, self.shift, strict=True)
        )

    def rows(self) -> Weights:
        """The weights with the signs multiplied in, (units, inputs): fires iff row . x >= t."""
        rows: Weights = (self.linear.matrix() * self.signs[:, None]).astype(np.int8)
        return rows

    def pixel_thresholds(self, denominator: int) -> IntArray:
        """Integers T of shape (units,): on inputs n / denominator a unit fires iff row . n >= T."""
        reach = self.inputs * denominator + 1
        scaled = (math.ceil(t * denominator) for t in self.thresholds)
        return np.array([max(-reach, min(reach, t)) for t in scaled], dtype=np.int64)

    @cached_property
    def sign_thresholds(self) -> IntArray:
        """Integers T of shape (units,) for inputs of -1 and +1, their parity folded in.

        A sum of m signs has the parity of m, so T is raised to the next value that the sum can
        take: ``>= T`` or ``<= T - 2``.
        """
        odd = np.abs(self.rows()).sum(axis=1, dtype=np.int64) % 2
        plain = self.pixel_thresholds(1)
        result: IntArray = plain + (plain + odd) % 2
        return result

    def fire(self, values: IntArray, thresholds: IntArray) -> IntArray:
        """Activations (n, units) in {-1, +1} of integer inputs (n, inputs)."""
        return np.where(self.linear.apply(values) * self.signs >= thresholds, 1, -1)


@dataclass(frozen=True, eq=False)
class OutputLayer:
    """Scores of the classes: integer sums, or an affine map of each sum.

    Args:
        linear: the weights, (classes, inputs).
        scale, shift: float32 of shape (classes,), or both None for the plain sums.
    """

    linear: Linear
    scale: Float32Array | None = None
    shift: Float32Array | None = None

    def __post_init__(self) -> None:
        if (self.scale is None) != (self.shift is None):
            raise ModelError("an affine output needs both a scale and a shift")
        if self.scale is not None and self.shift is not None:
            _check_float32("output scale", self.scale, self.classes)
            _check_float32("output shift", self.shift, self.classes)
        if self.classes < 2:
            raise ModelError(f"a network needs at least 2 classes; got {self.classes}")

    @property
    def classes(self) -> int:
        return self.linear.units

    @property
    def is_affine(self) -> bool:
        return self.scale is not None

    @cached_property
    def denominator(self) -> int:
        """Scores are integers over this number: 1 for plain sums."""
        return math.lcm(*(f.denominator for f in (*self._scales, *self._shifts)))

    @cached_property
    def multipliers(self) -> tuple[int, ...]:
        """Per class, the integer that its sum is multiplied by."""
        return tuple(int(f * self.denominator) for f in self._scales)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Per class, the integer that is added to the multiplied sum."""
        return tuple(int(f * self.denominator) for f in self._shifts)

    def scores(self, activations: IntArray) -> ScoreArray:
        """Integer scores (n, classes) over :attr:`denominator` of activations (n, inputs)."""
        sums = self.linear.apply(activations)
        reach = max(abs(m) for m in self.multipliers) * self.linear.inputs
        small = reach + max(abs(o) for o in self.offsets) < SAFE_INT64
        kind = np.int64 if small else np.object_
        scores: ScoreArray = sums.astype(kind) * np.array(self.multipliers, dtype=kind)
        return scores + np.array(self.offsets, dtype=kind)

    @cached_property
    def _scales(self) -> tuple[Fraction, ...]:
        if self.scale is None:
            return (Fraction(1),) * self.classes
        return tuple(Fraction(float(s)) for s in self.scale)

    @cached_property
    def _shifts(self) -> tuple[Fraction, ...]:
        if self.shift is None:
            return (Fraction(0),) * self.classes
        return tuple(Fraction(float(b)) for b in self.shift)


def _threshold(scale: float, shift: float) -> Fraction:
    if scale == 0:
        return Fraction(0 if shift >= 0 else 1)
    return -Fraction(shift) / abs(Fraction(scale))


def _check_float32(what: str, values: Float32Array, length: int) -> None:
    if values.dtype != np.float32 or values.shape != (length,):
        raise ModelError(
            f"{what} must be float32 of shape ({length},); "
            f"got {values.dtype} of shape {values.shape}"
        )
    if not np.all(np.isfinite(values)):
        raise ModelError(f"{what} must be finite; got {values[~np.isfinite(values)][0]}")
