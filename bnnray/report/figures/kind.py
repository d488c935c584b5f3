"""What a figure is: numbers from SQL, and a drawing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bnnray.report.campaign import Campaign
from bnnray.report.look import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N = TypeVar("N")


@dataclass(frozen=True)
class Page(Generic[N]):
    """A figure of its own: rows of different scopes are never in one.

    Args:
        title: what it is of.
        numbers: what is drawn, a frozen dataclass.
    """

    title: str
    numbers: N


@dataclass(frozen=True)
class FigureKind(Generic[N]):
    """One kind of figure.

    Args:
        name: of its files.
        title: above it.
        caption: how to read it.
        pages: reads its numbers; none where the run has no data for it.
        draw: numbers and nothing else become a picture.
        needs: what a run must have for it.
        vector: False where pixels are shown, which a vector format would only blow up.
    """

    name: str
    title: str
    caption: str
    pages: Callable[[Campaign], Sequence[Page[N]]]
    draw: Callable[[N, Palette], Figure]
    needs: str
    vector: bool = True
