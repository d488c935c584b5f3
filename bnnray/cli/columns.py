"""Columns of text in a width that is given: nothing wraps, and no number is cut in the middle.

Where there is no room the least important columns are left out, and texts end with an ellipsis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

GAP = 2


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        title: above it; empty for none.
        cells: one for each row.
        rank: the highest is left out first; one of 0 never is.
        least: characters to which a text may be cut; None for a number, which is never cut.
        right: whether it stands at the right.
        style: of the cells.
    """

    title: str
    cells: Sequence[str]
    rank: int = 0
    least: int | None = None
    right: bool = False
    style: str = ""

    @property
    def natural(self) -> int:
        """Characters that it would like to have."""
        return max(map(cell_len, (self.title, *self.cells)))

    @property
    def needed(self) -> int:
        """Characters that it must have."""
        return self.natural if self.least is None else min(self.natural, self.least)

    def head(self, width: int) -> Text:
        """Its title."""
        return Text(self._fit(self.title, width), style="dim")

    def cell(self, row: int, width: int) -> Text:
        """One of its cells."""
        return Text(self._fit(self.cells[row], width), style=self.style)

    def _fit(self, text: str, width: int) -> str:
        if self.right:
            return " " * (width - cell_len(text)) + text
        return set_cell_size(cut(text, width), width)


@dataclass(frozen=True)
class Bars(Column):
    """Bars of what is done.

    Args:
        shares: between 0 and 1, one for each row.
        ink: the characters of what is done and of what is not.
    """

    shares: Sequence[float] = ()
    ink: tuple[str, str] = ("━", "─")
    longest: int = 60

    @property
    def natural(self) -> int:
        return self.longest

    def cell(self, row: int, width: int) -> Text:
        done = int(width * self.shares[row])
        rest = Text(self.ink[1] * (width - done), style="dim")
        return Text.assemble(Text(self.ink[0] * done, style="green"), rest)


def lay_out(columns: Sequence[Column], width: int) -> Iterator[Text]:
    """The lines of a table, its titles first if it has any.

    Args:
        columns: the same number of cells each; one without any text is left out.
        width: of the page in characters.
    """
    kept = [column for column in columns if column.natural]
    while sum(c.needed + GAP for c in kept) - GAP > width and any(c.rank for c in kept):
        kept.remove(max(kept, key=lambda c: c.rank))
    widths = _widths(kept, width)
    gap = Text(" " * GAP)
    if any(c.title for c in kept):
        yield _line(gap.join(c.head(w) for c, w in zip(kept, widths, strict=True)), width)
    for row in range(len(kept[0].cells)):
        cells = [c.cell(row, w) for c, w in zip(kept, widths, strict=True)]
        yield _line(gap.join(cells), width)


def cut(text: str, width: int) -> str:
    """A text with an ellipsis where it is too long."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - len(ELLIPSIS))).rstrip() + ELLIPSIS


ELLIPSIS = "..."


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    spare = max(0, width - sum(c.needed + GAP for c in columns) + GAP)
    widths = []
    for column in columns:
        more = min(spare, column.natural - column.needed)
        spare -= more
        widths.append(column.needed + more)
    return widths


def _line(text: Text, width: int) -> Text:
    text.rstrip()
    text.truncate(width)
    return text
