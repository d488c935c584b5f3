"""A mixed-integer linear program, as every MILP back end takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bnnray.network import IntArray
from bnnray.threat import FloatArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Maximize objective . v subject to matrix v <= rhs and lower <= v <= upper.

    Where a row is marked as equal, it reads matrix v = rhs.

    Args:
        objective, lower, upper: float64 (variables,).
        integer: bool (variables,), which of them are integers.
        matrix: float64 (rows, variables), compressed rows.
        rhs: float64 (rows,).
        equal: bool (rows,), which rows are equations.
        integral: whether the objective takes integer values only, so that a gap below 1 proves
            an optimum.
    """

    objective: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: BoolArray
    matrix: sparse.csr_array
    rhs: FloatArray
    equal: BoolArray
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


Columns = Sequence[int] | IntArray
Values = Sequence[float] | FloatArray


class RowBuilder:
    """Collects rows ``sum of terms <= rhs``, or ``= rhs``, into a sparse matrix."""

    def __init__(self) -> None:
        self._columns: list[IntArray] = []
        self._values: list[FloatArray] = []
        self._rhs: list[float] = []
        self._equal: list[bool] = []

    def at_most(self, columns: Columns, values: Values, rhs: float) -> None:
        """Adds sum values . v[columns] <= rhs."""
        self._add(columns, values, rhs, equal=False)

    def at_least(self, columns: Columns, values: Values, rhs: float) -> None:
        """Adds sum values . v[columns] >= rhs."""
        self.at_most(columns, -np.asarray(values), -rhs)

    def equals(self, columns: Columns, values: Values, rhs: float) -> None:
        """Adds sum values . v[columns] = rhs."""
        self._add(columns, values, rhs, equal=True)

    def build(self, variables: int) -> tuple[sparse.csr_array, FloatArray, BoolArray]:
        """The matrix (rows, variables), the right-hand sides and which rows are equations."""
        starts = np.cumsum([0, *map(len, self._columns)])
        columns = np.concatenate([*self._columns, np.zeros(0, dtype=np.int64)])
        values = np.concatenate([*self._values, np.zeros(0)])
        matrix = sparse.csr_array((values, columns, starts), shape=(len(self._rhs), variables))
        return matrix, np.array(self._rhs, dtype=np.float64), np.array(self._equal, dtype=bool)

    def _add(self, columns: Columns, values: Values, rhs: float, *, equal: bool) -> None:
        self._columns.append(np.asarray(columns, dtype=np.int64))
        self._values.append(np.asarray(values, dtype=np.float64))
        self._rhs.append(rhs)
        self._equal.append(equal)
