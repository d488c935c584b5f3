"""The set of inputs within a budget, in integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.errors import UsageError
from bnnray.network import IntArray
from bnnray.threat.threat import Domain, Threat

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Region:
    """Every input x with lower <= x * denominator <= upper; integers only on the grid.

    Where ``max_pixels`` is set, at most so many of its pixels differ from the clean ones.

    Args:
        lower, upper, clean: int64 of shape (pixels,), numerators over ``denominator``.
        denominator: the number of levels on the grid; on the box the common denominator of
            the pixels and epsilon, so that the ends are integers there too.
        domain: box or grid.
        max_pixels: None as well where it would not bind: no more pixels than this can change.
    """

    lower: IntArray
    upper: IntArray
    clean: IntArray
    denominator: int
    domain: Domain
    max_pixels: int | None = None

    @cached_property
    def float_clean(self) -> FloatArray:
        """The double nearest to each clean pixel; in a box witness it stands for that pixel."""
        return np.array([n / self.denominator for n in self.clean.tolist()])

    @cached_property
    def float_lower(self) -> FloatArray:
        """The least double allowed in a box witness, per pixel: rounded inward."""
        inward = np.array([_at_least(int(n), self.denominator) for n in self.lower])
        return np.minimum(inward, self.float_clean)

    @cached_property
    def float_upper(self) -> FloatArray:
        """The largest double allowed in a box witness, per pixel: rounded inward."""
        inward = np.array([_at_most(int(n), self.denominator) for n in self.upper])
        return np.maximum(inward, self.float_clean)

    def nearest(self, values: FloatArray) -> npt.NDArray[np.generic]:
        """The witness nearest to real inputs (..., pixels): grid numerators or box doubles.

        ``max_pixels`` is the caller's to keep.
        """
        if self.domain is Domain.GRID:
            rounded = np.rint(values * self.denominator).astype(np.int64)
            return np.clip(rounded, self.lower, self.upper)
        return np.clip(values, self.float_lower, self.float_upper)

    def read(self, values: FloatArray) -> list[Fraction]:
        """The real input that a box witness (pixels,) stands for, exactly."""
        clean = self.clean.tolist()
        moved = (values != self.float_clean).tolist()
        return [
            Fraction(v) if m else Fraction(c, self.denominator)
            for v, m, c in zip(values.tolist(), moved, clean, strict=True)
        ]

    @property
    def clean_witness(self) -> npt.NDArray[np.generic]:
        """The unperturbed input in the form of a witness."""
        return self.clean if self.domain is Domain.GRID else self.float_clean


def make_region(pixels: IntArray, levels: int, threat: Threat) -> Region:
    """The region around a clean image.

    Args:
        pixels: (pixels,) integers k; the image is k / levels.
        levels: what the image's pixels are over.

    Raises:
        UsageError: a grid whose levels do not include the image's own, or a mask with pixels
            that the image does not have.
    """
    if threat.domain is Domain.GRID and threat.levels % levels:
        raise UsageError(
            f"levels must be a multiple of the data's {levels}, so that the clean image is on "
            f"the grid; got {threat.levels}"
        )
    box = threat.domain is Domain.BOX
    denominator = math.lcm(levels, threat.epsilon.denominator) if box else threat.levels
    clean = pixels.astype(np.int64) * (denominator // levels)
    reach = math.floor(threat.epsilon * denominator)
    fixed = _fixed(len(pixels), threat.mask)
    lower = np.where(fixed, clean, np.maximum(clean - reach, 0))
    upper = np.where(fixed, clean, np.minimum(clean + reach, denominator))
    binds = threat.max_pixels is not None and threat.max_pixels < np.count_nonzero(upper > lower)
    return Region(
        lower=lower,
        upper=upper,
        clean=clean,
        denominator=denominator,
        domain=threat.domain,
        max_pixels=threat.max_pixels if binds else None,
    )


def _fixed(pixels: int, mask: frozenset[int] | None) -> npt.NDArray[np.bool_]:
    """Which of so many pixels a mask keeps as they are."""
    if mask is None:
        return np.zeros(pixels, dtype=bool)
    if min(mask) < 0 or max(mask) >= pixels:
        raise UsageError(
            f"a mask must hold numbers of pixels from 0 to {pixels - 1}; got "
            f"{min(mask) if min(mask) < 0 else max(mask)}"
        )
    return ~np.isin(np.arange(pixels), list(mask))


def _at_least(numerator: int, denominator: int) -> float:
    value = numerator / denominator
    return value if Fraction(value) * denominator >= numerator else math.nextafter(value, math.inf)


def _at_most(numerator: int, denominator: int) -> float:
    value = numerator / denominator
    return value if Fraction(value) * denominator <= numerator else math.nextafter(value, -math.inf)
