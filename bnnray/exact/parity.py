"""The two parities of a cell's grid points.

Rows that have their zero weights in the same places differ by even numbers: at a grid point all of
their sums are even, or all are odd. So the grid points of a cell are in two classes, and in each a
row's right-hand side can be raised to the next number of the right parity. That refutes most of
the cells that hold real inputs but no grid point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnnray.exact.cell import Cell
from bnnray.exact.problem import Int64Array, Rows


@dataclass(frozen=True, eq=False)
class Parities:
    """The classes of a cell.

    Args:
        row: whose sum is even in the first class and odd in the second.
        classes: the cell's rows in each.
    """

    row: int
    classes: tuple[Cell, Cell]


def parities_of(cell: Cell) -> Parities:
    """The classes by the largest set of active rows that have their zeros in the same places, or
    by any row if none is active."""
    rows, active = cell.rows, cell.active
    listed = active.row[: max(1, active.decided[0])]
    zeros = np.packbits(rows.weights[listed] == 0, axis=1)
    _, group, counts = np.unique(zeros, axis=0, return_inverse=True, return_counts=True)
    leader = int(listed[np.argmax(group.ravel() == np.argmax(counts))])
    alike = np.all((rows.weights == 0) == (rows.weights[leader] == 0), axis=1)
    first, second = (_of_parity(rows, alike, parity) for parity in (0, 1))
    return Parities(
        leader,
        (
            Cell(first, active, cell.scratch, cell.state),
            Cell(second, active, cell.scratch, cell.state),
        ),
    )


def _of_parity(rows: Rows, alike: Int64Array, parity: int) -> Rows:
    """The rows with what their sums are at least raised to a parity, which signs do not change."""
    raised = rows.rhs + ((rows.rhs + parity) % 2) * alike
    return rows._replace(rhs=raised, aims=(raised / rows.unit).astype(np.float32))
