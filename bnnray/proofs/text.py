"""The lines of a proof; docs/proofs.md says what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from bnnray.errors import ProofError

FIRST_LINE = "bnnray proof 1"

NUMBER = re.compile(r"-?\d{1,40}")
FRACTION = re.compile(r"-?\d{1,400}(/[1-9]\d{0,400})?")
SIDE = re.compile(r"(\d{1,9})([+-])")
PART = re.compile(r"(\d{1,9})([+-])\*(\d{1,30})")


@dataclass(frozen=True)
class Line:
    """One line: its number, its first word, and the others."""

    number: int
    word: str
    rest: tuple[str, ...]

    def refuse(self, reason: str) -> ProofError:
        """The error that says why this line is wrong."""
        return ProofError(f"line {self.number} ({self.word}): {reason}")

    def integers(self, count: int) -> list[int]:
        """The numbers after the word."""
        if len(self.rest) != count or not all(NUMBER.fullmatch(n) for n in self.rest):
            raise self.refuse(f"expected {count} integers; got {' '.join(self.rest)!r}")
        return [int(n) for n in self.rest]

    def side(self) -> tuple[int, int]:
        """The unit after the word and its sign, +1 or -1."""
        match = SIDE.fullmatch(self.rest[0]) if len(self.rest) == 1 else None
        if match is None:
            raise self.refuse(f"expected a unit and its sign; got {' '.join(self.rest)!r}")
        return int(match[1]), _sign(match[2])

    def sides(self) -> list[tuple[int, int]]:
        """The numbers after the word, each with its sign, +1 or -1."""
        matches = [SIDE.fullmatch(word) for word in self.rest]
        found = [(int(m[1]), _sign(m[2])) for m in matches if m is not None]
        if not found or len(found) < len(matches):
            raise self.refuse("expected numbers with their signs")
        return found

    def parts(self) -> list[tuple[int, int, int]]:
        """Units, their signs and their multipliers."""
        matches = [PART.fullmatch(part) for part in self.rest]
        found = [(int(m[1]), _sign(m[2]), int(m[3])) for m in matches if m is not None]
        if not found or len(found) < len(matches) or any(m < 1 for _, _, m in found):
            raise self.refuse("expected units with their signs and positive multipliers")
        return found


def _sign(text: str) -> int:
    return 1 if text == "+" else -1


def read_lines(text: str) -> Iterator[Line]:
    """The lines after the first, which says what this is.

    Raises:
        ProofError: this is no proof of a known version.
    """
    lines = text.splitlines()
    if not lines or lines[0] != FIRST_LINE:
        raise ProofError(f"expected {FIRST_LINE!r} in the first line")
    for number, line in enumerate(lines[1:], start=2):
        word, *rest = line.split(" ")
        yield Line(number, word, tuple(rest))


def read_bound(line: Line) -> Fraction:
    """What the proof claims: no input has a larger objective."""
    if line.word != "bound" or len(line.rest) != 1 or not FRACTION.fullmatch(line.rest[0]):
        raise line.refuse("expected the bound that is claimed")
    return Fraction(line.rest[0])
