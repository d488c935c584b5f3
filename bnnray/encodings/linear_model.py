"""A mixed-integer linear program, as every MILP back end takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bnnray.threat import FloatArray


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Maximize objective . v subject to matrix v <= rhs and lower <= v <= upper.

    Args:
        objective, lower, upper: float64 (variables,).
        integer: bool (variables,), which of them are integers.
        matrix: float64 (rows, variables), compressed rows.
        rhs: float64 (rows,).
        integral: whether the objective takes integer values only, so that a gap below 1 proves
            an optimum.
    """

    objective: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: npt.NDArray[np.bool_]
    matrix: sparse.csr_array
    rhs: FloatArray
    integral: bool

    def __post_init__(self) -> None:
        finite = np.isfinite(self.lower).all() and np.isfinite(self.upper).all()
        assert finite, "back ends rely on bounded variables"

    @property
    def variables(self) -> int:
        return len(self.objective)

    @property
    def rows(self) -> int:
        return len(self.rhs)

    @property
    def gap(self) -> float:
        """The largest absolute gap at which the incumbent is proven optimal."""
        return 0.999 if self.integral else 1e-6


class RowBuilder:
    """Collects rows ``sum of terms <= rhs`` into a sparse matrix."""

    def __init__(self) -> None:
        self._columns: list[int] = []
        self._values: list[float] = []
        self._starts = [0]
        self._rhs: list[float] = []

    def at_most(self, columns: Sequence[int], values: Sequence[float], rhs: float) -> None:
        """Adds sum values . v[columns] <= rhs."""
        self._columns.extend(columns)
        self._values.extend(values)
        self._starts.append(len(self._columns))
        self._rhs.append(rhs)

    def at_least(self, columns: Sequence[int], values: Sequence[float], rhs: float) -> None:
        """Adds sum values . v[columns] >= rhs."""
        self.at_most(columns, [-v for v in values], -rhs)

    def build(self, variables: int) -> tuple[sparse.csr_array, FloatArray]:
        """The matrix (rows, variables) and the right-hand sides (rows,)."""
        matrix = sparse.csr_array(
            (np.array(self._values, dtype=np.float64), self._columns, self._starts),
            shape=(len(self._rhs), variables),
        )
        return matrix, np.array(self._rhs, dtype=np.float64)
