"""What an attack may do, and what counts as success."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from bnnray.errors import UsageError


class Domain(StrEnum):
    """Which perturbations are allowed."""

    BOX = "box"
    """Any real p with |p_i| <= epsilon and 0 <= x_i + p_i <= 1 (Khalil et al. 2018)."""
    GRID = "grid"
    """Perturbed pixels are k / levels, within epsilon of the clean ones exactly."""


class Against(StrEnum):
    """Which class is attacked."""

    PREDICTED = "predicted"
    LABEL = "label"


class Tie(StrEnum):
    """What an objective of exactly 0 means."""

    KEEP = "keep"
    FLIP = "flip"


class Norm(StrEnum):
    """How the size of a perturbation is measured, in units of the full pixel range."""

    LINF = "linf"
    """The largest change of a pixel."""
    L1 = "l1"
    """The sum of all changes."""


RUNNER_UP = "runner-up"
ANY = "any"


@dataclass(frozen=True)
class Goal:
    """The class that the attack wants: the runner-up, one class, or any other.

    Args:
        name: "runner-up", "any", or the number of a class as text.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in (RUNNER_UP, ANY) and not self.name.isdecimal():
            raise UsageError(
                f'goal must be "runner-up", "any" or the number of a class; got {self.name!r}'
            )

    @property
    def target(self) -> int | None:
        """The class that was named, or None."""
        return int(self.name) if self.name.isdecimal() else None


@dataclass(frozen=True)
class Threat:
    """A perturbation budget and a goal.

    Args:
        epsilon: the L-infinity budget per pixel, in units of the full pixel range.
        domain: the real box or the grid of images.
        levels: pixels of the grid are k / levels, k = 0 ... levels.
        goal: the class wanted.
        against: whether the predicted class or the label is attacked.
        tie: whether an objective of 0 is a flip.
        mask: numbers of the pixels that may change, of the flat image; None for all.
        max_pixels: at most so many pixels may differ from the clean image; None for any number.

    Raises:
        UsageError: levels or max_pixels below 1, or a mask without pixels.
    """

    epsilon: Fraction
    domain: Domain = Domain.BOX
    levels: int = 255
    goal: Goal = Goal(RUNNER_UP)
    against: Against = Against.PREDICTED
    tie: Tie = Tie.KEEP
    mask: frozenset[int] | None = None
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise UsageError(f"levels must be at least 1; got {self.levels}")
        if self.mask is not None and not self.mask:
            raise UsageError("a mask must leave at least one pixel to change; got none")
        if self.max_pixels is not None and self.max_pixels < 1:
            raise UsageError(f"max_pixels must be at least 1; got {self.max_pixels}")
