"""From a solution of the relaxed box to a real input that has its first-layer signs.

A vertex of the relaxation lies on thresholds, where both signs were admitted; the input that is
wanted keeps away from them. So the signs are fixed, and of the inputs that have them the one
deepest inside is taken, or where the smallest distance is wanted the nearest with a little slack.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from bnnray.encodings.linear_model import RowBuilder
from bnnray.encodings.tight import FirstRow, TightEncoding
from bnnray.threat import FloatArray, Witness

LEAST_SLACK = 1e-6
"""Of the nearest input to the thresholds, in units of epsilon: far above rounding."""


def realise(encoding: TightEncoding, values: FloatArray, seconds: float) -> Witness | None:
    """An input strictly inside the first-layer signs of an assignment.

    Args:
        encoding: of a question on the box.
        values: an assignment of all of the model's variables.
        seconds: time limit of the linear program.

    Returns:
        A witness to replay, or None where the signs leave no room or time ran out.
    """
    wanted = [row for row in encoding.first_rows if (values[row.unit] > 0.5) == row.on]
    pixels = encoding.pixels
    if not wanted or not pixels.pixels or seconds <= 0:
        return None
    rows, limits = _strict_rows(wanted, pixels.columns)
    out = RowBuilder()
    pixels.add_rows(out)
    kept, kept_limits, _ = out.build(pixels.columns + 1)
    lower, upper = pixels.lower.copy(), pixels.upper.copy()
    lower[pixels.switches] = upper[pixels.switches] = np.rint(values[pixels.switches])
    costs = np.zeros(pixels.columns + 1)
    costs[pixels.distance] = 1.0
    costs[-1] = -1.0 if pixels.norm is None else 0.0
    least = -np.inf if pixels.norm is None else LEAST_SLACK
    result = linprog(  # type: ignore[call-overload]  # the stubs know of dense matrices only
        c=costs,
        A_ub=sparse.vstack([rows, kept]),
        b_ub=np.concatenate([limits, kept_limits]),
        bounds=np.column_stack([np.append(lower, least), np.append(upper, 1.0)]),
        method="highs",
        options={"time_limit": seconds},
    )
    if result.x is None or result.x[-1] < 0:
        return None
    return pixels.witness_of(result.x)


def _strict_rows(wanted: list[FirstRow], columns: int) -> tuple[sparse.csr_array, FloatArray]:
    """The rows over the pixels' columns and the slack, and their right-hand sides."""
    sides = np.array([-1.0 if row.on else 1.0 for row in wanted])
    rows = np.zeros((len(wanted), columns + 1))
    rows[:, : len(wanted[0].row)] = sides[:, None] * np.array([row.row for row in wanted])
    rows[:, -1] = 1.0
    return sparse.csr_array(rows), sides * np.array([float(row.threshold) for row in wanted])
