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

Witness = npt.NDArray[np.generic]
"""A perturbed input, flat: int64 numerators over ``levels`` on the grid, float64 on the box.

On the box a pixel that holds the double nearest to its clean value is unperturbed and stands
for the clean value itself; every other double is read as the rational it is. (Before a quantizer a
double beyond an end of the budget, by rounding, stands for that end.)
"""


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
        outward: whether the ends of a box witness are rounded outward, and read as the ends
            themselves. So it is before a quantizer, where an end may be all of a level that is
            in the budget, and no double.
    """

    lower: IntArray
    upper: IntArray
    clean: IntArray
    denominator: int
    domain: Domain
    max_pixels: int | None = None
    outward: bool = False

    @cached_property
    def exact_clean(self) -> tuple[Fraction, ...]:
        """The clean pixels."""
        return tuple(Fraction(n, self.denominator) for n in self.clean.tolist())

    @cached_property
    def float_clean(self) -> FloatArray:
        """The double nearest to each clean pixel; in a box witness it stands for that pixel."""
        return np.array([n / self.denominator for n in self.clean.tolist()])

    @cached_property
    def float_lower(self) -> FloatArray:
        """The least double allowed in a box witness, per pixel: rounded inward, or outward."""
        return np.minimum(self._rounded(self.lower, up=not self.outward), self.float_clean)

    @cached_property
    def float_upper(self) -> FloatArray:
        """The largest double allowed in a box witness, per pixel: rounded inward, or outward."""
        return np.maximum(self._rounded(self.upper, up=self.outward), self.float_clean)

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
        point = list(self.exact_clean)
        for pixel in np.flatnonzero(values != self.float_clean).tolist():
            point[pixel] = self._read_moved(pixel, float(values[pixel]))
        return point

    @property
    def clean_witness(self) -> Witness:
        """The unperturbed input in the form of a witness."""
        return self.clean if self.domain is Domain.GRID else self.float_clean

    def _read_moved(self, pixel: int, value: float) -> Fraction:
        """A double that is not the clean pixel's; what is beyond an end stands for that end."""
        exact = Fraction(value)
        if not self.outward:
            return exact
        lower = Fraction(int(self.lower[pixel]), self.denominator)
        upper = Fraction(int(self.upper[pixel]), self.denominator)
        return min(max(exact, lower), upper)

    def _rounded(self, numerators: IntArray, *, up: bool) -> FloatArray:
        round_ = at_least if up else at_most
        return np.array([round_(Fraction(n, self.denominator)) for n in numerators.tolist()])


def make_region(pixels: IntArray, levels: int, threat: Threat, *, outward: bool = False) -> Region:
    """The region around a clean image.

    Args:
        pixels: (pixels,) integers k; the image is k / levels.
        levels: what the image's pixels are over.
        outward: as in :class:`Region`.

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
    return Region(
        lower=lower,
        upper=upper,
        clean=clean,
        denominator=denominator,
        domain=threat.domain,
        max_pixels=binding(threat.max_pixels, upper > lower),
        outward=outward,
    )


def binding(max_pixels: int | None, free: npt.NDArray[np.bool_]) -> int | None:
    """A limit of the number of changed pixels, None where no more can change anyway."""
    binds = max_pixels is not None and max_pixels < np.count_nonzero(free)
    return max_pixels if binds else None


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


def at_least(value: Fraction) -> float:
    """The least double that is not below a number."""
    near = value.numerator / value.denominator
    return near if Fraction(near) >= value else math.nextafter(near, math.inf)


def at_most(value: Fraction) -> float:
    """The largest double that is not above a number."""
    near = value.numerator / value.denominator
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)
