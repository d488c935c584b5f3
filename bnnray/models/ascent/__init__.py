"""Gradient ascent on a smooth surrogate, in torch, batched over points and restarts.

A surrogate puts a function with a useful slope in the place of each hidden sign. Every iterate is
judged by the true network: exactly on the grid (integers in float64), up to rounding on the box,
where the caller replays what counts.

Each point is a matrix product of its own (bmm), and what is random comes from a generator of its
own, so that its iterates do not depend on which points share its batch.
"""

from bnnray.models.ascent.ascent import CLIMBERS, Ascent, AscentSettings, Iterate
from bnnray.models.ascent.point import Point

__all__ = ["CLIMBERS", "Ascent", "AscentSettings", "Iterate", "Point"]
