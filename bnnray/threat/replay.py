"""The only judge of a witness: a pure function on the exact network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.errors import WitnessError
from bnnray.network import IntArray, ScoreArray
from bnnray.threat.question import LevelQuestion, Question
from bnnray.threat.region import Region, Witness
from bnnray.threat.threat import Domain, Norm
from bnnray.verdicts import is_flip


@dataclass(frozen=True, eq=False)
class Replayed:
    """What the exact network says of a witness.

    Args:
        objective: the largest over the goal's targets, exact.
        flipped: whether that is a flip.
        scores: integer scores (classes,), over the network's denominator.
        adversarial_class: the class of the witness; ties go to the lowest.
        changes: of the pixels that changed, in units of the full pixel range, exact.
    """

    objective: Fraction
    flipped: bool
    scores: ScoreArray
    adversarial_class: int
    changes: tuple[Fraction, ...]

    def distance(self, norm: Norm) -> Fraction:
        """The size of the perturbation, exact."""
        return self._linf if norm is Norm.LINF else self._l1

    @property
    def linf(self) -> float:
        """The largest change of a pixel."""
        return float(self._linf)

    @property
    def l1(self) -> float:
        """The sum of the changes."""
        return float(self._l1)

    @property
    def l2(self) -> float:
        """The Euclidean length of the change."""
        return math.sqrt(float(sum(c * c for c in self.changes)))

    @property
    def l0(self) -> int:
        """How many pixels changed."""
        return len(self.changes)

    @cached_property
    def _linf(self) -> Fraction:
        return max(map(abs, self.changes), default=Fraction(0))

    @cached_property
    def _l1(self) -> Fraction:
        return sum(map(abs, self.changes), Fraction(0))


def activations(question: Question, witness: Witness) -> list[IntArray]:
    """Activations (units,) of each hidden layer at a witness, exact."""
    region = question.region
    if region.domain is Domain.GRID:
        whole = witness.astype(np.int64)[None, :]
        return [layer[0] for layer in question.network.activations(whole, region.denominator)]
    return question.network.activations_at(region.read(witness.astype(np.float64)))


def replay(question: Question, witness: Witness) -> Replayed:
    """Checks a witness's shape, type, range and budget, and evaluates it exactly.

    What is asked of levels is judged before the quantizer, by the input that the levels stand for.

    Raises:
        WitnessError: the witness is not a point of the question's region.
    """
    _check_shape(question, witness)
    if isinstance(question, LevelQuestion):
        return replay(question.asked, question.input_of(_checked_levels(question.region, witness)))
    scores, changes = _evaluate(question, witness)
    most = question.region.max_pixels
    if most is not None and len(changes) > most:
        raise WitnessError(f"a witness may change at most {most} pixels; it changes {len(changes)}")
    objective = question.objective_of(scores)
    return Replayed(
        objective=objective,
        flipped=is_flip(objective, question.threat.tie),
        scores=scores,
        adversarial_class=int(np.argmax(scores)),
        changes=tuple(changes),
    )


def _check_shape(question: Question, witness: Witness) -> None:
    if witness.shape != question.pixels.shape:
        raise WitnessError(
            f"a witness must have shape {question.pixels.shape}; got {witness.shape}"
        )


def _evaluate(question: Question, witness: Witness) -> tuple[ScoreArray, list[Fraction]]:
    if question.threat.domain is Domain.GRID:
        return _evaluate_grid(question, witness)
    return _evaluate_box(question, witness)


def _evaluate_grid(question: Question, witness: Witness) -> tuple[ScoreArray, list[Fraction]]:
    region = question.region
    levels = _checked_levels(region, witness)
    scores = question.network.scores(levels[None, :], region.denominator)[0]
    changes = levels - region.clean
    return scores, [Fraction(int(c), region.denominator) for c in changes[changes != 0]]


def _checked_levels(region: Region, witness: Witness) -> IntArray:
    if not np.issubdtype(witness.dtype, np.integer):
        raise WitnessError(f"a witness on the grid must be integers; got {witness.dtype}")
    levels = witness.astype(np.int64)
    _check_range(levels, region.lower, region.upper)
    return levels


def _evaluate_box(question: Question, witness: Witness) -> tuple[ScoreArray, list[Fraction]]:
    region = question.region
    if witness.dtype != np.float64:
        raise WitnessError(f"a witness on the box must be float64; got {witness.dtype}")
    values = witness.astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise WitnessError("a witness on the box must be finite")
    _check_range(values, region.float_lower, region.float_upper)
    point = region.read(values)
    changes = [p - c for p, c in zip(point, region.exact_clean, strict=True) if p != c]
    return question.network.scores_at(point), changes


def _check_range(
    values: npt.NDArray[np.generic], lower: npt.NDArray[np.generic], upper: npt.NDArray[np.generic]
) -> None:
    outside = np.flatnonzero((values < lower) | (values > upper))  # type: ignore[operator]
    if outside.size:
        i = int(outside[0])
        raise WitnessError(
            f"pixel {i} of the witness must be in [{lower[i]}, {upper[i]}], the clean image's "
            f"budget; got {values[i]}"
        )
