"""The text of a proof; docs/proofs.md says what each line means.

Rows and pixels of the reduced question become units and pixels of the network here, so that who
checks a proof needs to know nothing of the reduction.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from bnnray.exact.kernels import (
    BOUND,
    BRANCH,
    CERTIFICATE,
    CLAUSE,
    EACH,
    FORCED,
    PARITIES,
    PARITY,
    PART,
    PIXEL,
    POINT,
    TIGHTEN,
)
from bnnray.exact.reduction import FirstLayer

FIRST_LINE = "bnnray proof 1"

SIGNS = ("-", "+")


class ProofText:
    """Lines of a proof, tree after tree.

    Args:
        first: the rows of the question.
    """

    def __init__(self, first: FirstLayer) -> None:
        self._units = first.units.tolist()
        self._pixels = first.pixels.tolist()
        self._offsets = first.lattice.lower[first.pixels].tolist()
        self._fixed = first.fixed.tolist()
        self._lines: list[str] = []
        self._bound: Fraction | None = None

    def begin(self, target: int) -> None:
        """The tree of a target follows."""
        self._lines.append(f"target {target}")

    def add(self, events: list[int]) -> None:
        """Takes events as :mod:`bnnray.exact.kernels.events` has them."""
        numbers = iter(events)
        for event in numbers:
            self._lines.append(self._line(event, numbers))

    def end(self, bound: Fraction) -> None:
        """The tree is whole: no input has an objective of its target above a bound."""
        self._bound = bound if self._bound is None else max(self._bound, bound)

    def text(self) -> str:
        """The whole proof, of one target at least."""
        return "\n".join([FIRST_LINE, f"bound {self._bound}", *self._lines, ""])

    def _line(self, event: int, numbers: Iterator[int]) -> str:
        if event == BRANCH:
            return f"branch {self._side(next(numbers), next(numbers))}"
        if event == BOUND:
            return "bound"
        if event == EACH:
            units = [self._units[next(numbers)] for _ in range(next(numbers))]
            return f"each {' '.join(map(str, units))}"
        if event == CERTIFICATE:
            return f"certificate {self._parts(numbers)}"
        if event == CLAUSE:
            return f"clause {next(numbers)}"
        if event == FORCED:
            return f"forced {next(numbers)} {self._units[next(numbers)]}"
        if event == PIXEL:
            pixel, y = next(numbers), next(numbers)
            return f"pixel {self._pixels[pixel]} {self._offsets[pixel] + y}"
        if event in (PART, TIGHTEN):
            return f"{'part' if event == PART else 'tighten'} {self._parts(numbers)}"
        if event == PARITY:
            row = next(numbers)
            return f"parity {self._units[row]} {self._parity(row)}"
        if event == PARITIES:
            row = next(numbers)
            start = f"parities {self._units[row]} {self._parity(row)}"
            return f"{start} {self._parts(numbers)} and {self._parts(numbers)}"
        assert event == POINT
        return "point"

    def _parity(self, row: int) -> str:
        """Of the unit's sum over all pixels where the row's is even."""
        return ("even", "odd")[self._fixed[row] % 2]

    def _parts(self, numbers: Iterator[int]) -> str:
        parts = []
        for _ in range(next(numbers)):
            side = self._side(next(numbers), next(numbers))
            parts.append(f"{side}*{next(numbers)}")
        return " ".join(parts)

    def _side(self, row: int, side: int) -> str:
        return f"{self._units[row]}{SIGNS[side]}"
