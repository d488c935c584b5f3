"""Which units can change sign within the budget, by interval arithmetic in integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bnnray.encodings.linear_model import BoolArray
from bnnray.network import IntArray, SignLayer
from bnnray.threat import Objective, Question, Region


@dataclass(frozen=True, eq=False)
class LayerRange:
    """The sums that the units of one hidden layer can take, and when they fire.

    Args:
        lower, upper: int64 (units,), the range of row . input. For the first layer inputs are
            numerators over the region's denominator, for the others signs.
        thresholds: int64 (units,). On integer inputs a unit fires iff its sum is at least this.
    """

    lower: IntArray
    upper: IntArray
    thresholds: IntArray

    @property
    def on(self) -> BoolArray:
        """Units that fire for every input of the region."""
        return self.lower >= self.thresholds

    @property
    def off(self) -> BoolArray:
        """Units that fire for no input of the region."""
        return self.upper < self.thresholds

    @property
    def unstable(self) -> BoolArray:
        """Units that interval arithmetic leaves open."""
        return ~(self.on | self.off)

    @property
    def settled(self) -> IntArray:
        """Activations (units,): +1, -1, and 0 where unstable."""
        return self.on.astype(np.int64) - self.off.astype(np.int64)


def interval_ranges(question: Question) -> tuple[LayerRange, ...]:
    """The range of every hidden layer, first to last.

    The ends of the region are integers on the box as well, and an integer sum is at least a
    rational threshold iff it is at least its ceiling; so stability is exact in both domains.

    Args:
        question: as attacks search it, see :attr:`bnnray.threat.Question.searched`.
    """
    assert question.network.quantizer is None, "what is searched lies behind the quantizer"
    first, *later = question.network.hidden
    ranges = [_first_range(first, question.region)]
    for layer in later:
        signs = ranges[-1].settled
        open_ = ranges[-1].unstable
        lower, upper = np.where(open_, -1, signs), np.where(open_, 1, signs)
        ranges.append(_range(layer, lower, upper, layer.sign_thresholds))
    return tuple(ranges)


def interval_bound(objective: Objective, last: LayerRange) -> Fraction:
    """An upper limit of the objective from the range of the last hidden layer, in integers."""
    best = objective.constant
    for c, sign in zip(objective.coefficients, last.settled.tolist(), strict=True):
        best += c * sign if sign else abs(c)
    return objective.attainable_floor(Fraction(best, objective.denominator))


def _first_range(layer: SignLayer, region: Region) -> LayerRange:
    """With a limit of k changed pixels a sum moves by its k largest reaches at most."""
    thresholds = layer.pixel_thresholds(region.denominator)
    if region.max_pixels is None:
        return _range(layer, region.lower, region.upper, thresholds)
    rows = layer.rows().astype(np.int64)
    clean = rows @ region.clean
    up, down = region.upper - region.clean, region.clean - region.lower
    raising = np.where(rows > 0, up, np.where(rows < 0, down, 0))
    lowering = np.where(rows > 0, down, np.where(rows < 0, up, 0))
    return LayerRange(
        lower=clean - _largest(lowering, region.max_pixels),
        upper=clean + _largest(raising, region.max_pixels),
        thresholds=thresholds,
    )


def _largest(reaches: IntArray, count: int) -> IntArray:
    """The sum of the largest ``count`` numbers of each row."""
    split = reaches.shape[1] - count
    largest: IntArray = np.partition(reaches, split, axis=1)[:, split:].sum(axis=1)
    return largest


def _range(layer: SignLayer, lower: IntArray, upper: IntArray, thresholds: IntArray) -> LayerRange:
    rows = layer.rows()
    positive, negative = (rows > 0).astype(np.int64), (rows < 0).astype(np.int64)
    return LayerRange(
        lower=positive @ lower - negative @ upper,
        upper=positive @ upper - negative @ lower,
        thresholds=thresholds,
    )
