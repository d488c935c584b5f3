"""The linear part of a layer: integer weights in {-1, 0, +1}.

A layer is a linear map followed by thresholds (hidden) or scores (output). Everything that
later parts need of the map is in :class:`Linear`; a convolution is one more class here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bnnray.errors import ModelError

IntArray = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int8]

EXACT_FLOAT64 = 2**53
"""Integers up to here are float64 numbers, so BLAS sums of them are exact."""


class Linear(Protocol):
    """A map from ``inputs`` integers to ``units`` integer sums."""

    @property
    def inputs(self) -> int: ...

    @property
    def units(self) -> int: ...

    def apply(self, values: IntArray) -> IntArray:
        """The sums of a batch: (n, inputs) integers to (n, units) integers, exactly."""
        ...

    def matrix(self) -> Weights:
        """The map as a matrix of shape (units, inputs), as encodings need it."""
        ...


@dataclass(frozen=True, eq=False)
class Dense:
    """Every unit sees every input.

    Args:
        weights: int8 of shape (units, inputs), each -1, 0 or +1.
    """

    weights: Weights

    def __post_init__(self) -> None:
        w = self.weights
        if w.ndim != 2 or w.dtype != np.int8 or 0 in w.shape:
            raise ModelError(
                f"dense weights must be int8 of shape (units, inputs), both at least 1; "
                f"got {w.dtype} of shape {w.shape}"
            )
        if np.any((w < -1) | (w > 1)):
            bad = int(w[(w < -1) | (w > 1)][0])
            raise ModelError(f"weights must be -1, 0 or +1; got {bad}")

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])

    @property
    def units(self) -> int:
        return int(self.weights.shape[0])

    def apply(self, values: IntArray) -> IntArray:
        largest = int(np.abs(values).max(initial=0))
        if largest * self.inputs >= EXACT_FLOAT64:
            return values @ self.weights.T.astype(np.int64)
        sums = values.astype(np.float64) @ self.weights.T.astype(np.float64)
        return sums.astype(np.int64)

    def matrix(self) -> Weights:
        return self.weights
