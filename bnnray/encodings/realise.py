"""From a solution of the relaxed box to a real input that has its first-layer signs.

A vertex of the relaxation lies on thresholds, where both signs were admitted; the input that is
wanted keeps away from them. So the slack of the rows is maximized with the signs fixed.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from bnnray.encodings.tight import TightEncoding
from bnnray.threat import FloatArray, Witness


def realise(encoding: TightEncoding, values: FloatArray, seconds: float) -> Witness | None:
    """The input deepest inside the first-layer signs of an assignment.

    Args:
        encoding: of a question on the box.
        values: an assignment of all of the model's variables.
        seconds: time limit of the linear program.

    Returns:
        A witness to replay, or None where the signs leave no room or time ran out.
    """
    wanted = [row for row in encoding.first_rows if (values[row.unit] > 0.5) == row.on]
    pixels = len(encoding.pixels)
    if not wanted or not pixels or seconds <= 0:
        return None
    sides = np.array([-1.0 if row.on else 1.0 for row in wanted])
    rows = np.array([row.row for row in wanted], dtype=np.float64)
    limits = np.array([float(row.threshold) for row in wanted])
    result = linprog(
        c=np.append(np.zeros(pixels), -1.0),
        A_ub=np.hstack([sides[:, None] * rows, np.ones((len(wanted), 1))]),
        b_ub=sides * limits,
        bounds=[*((0.0, float(u)) for u in encoding.model.upper[:pixels]), (None, 1.0)],
        method="highs",
        options={"time_limit": seconds},
    )
    if result.x is None or result.x[-1] < 0:
        return None
    return encoding.witness_of_pixels(result.x[:pixels])
