"""How figures look: sizes for a paper, colours that colour-blind readers tell apart."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.3, 6.9
"""Inches: the width of one column of a two-column paper, and of both."""

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, YELLOW = "#CC79A7", "#56B4E9", "#000000", "#F0E442"
GREY = "#BBBBBB"
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK, YELLOW)
"""Okabe and Ito (2008), Color universal design: told apart whatever the colour vision."""

OF_KIND = {
    "pgd": BLUE,
    "iprop": ORANGE,
    "milp": SKY,
    "sat": PURPLE,
    "exact": VERMILLION,
    "cascade": GREEN,
    "lns": BLACK,
}
"""Of the first attack of a kind, in the reports of all runs."""

LINES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "hatch.linewidth": 0.4,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # TrueType, embedded: what publishers accept
    "svg.fonttype": "path",
    "svg.hashsalt": "bnnray",
    "text.parse_math": False,
}

DPI = 220


@dataclass(frozen=True)
class Look:
    """Of one attack, everywhere in a report.

    Args:
        colour: as #RRGGBB.
        line: a style of matplotlib, which changes where the colours begin again.
        hatch: of bars; empty for the first attacks.
    """

    colour: str
    line: Literal["-", "--", ":", "-."]
    hatch: str

    @property
    def dark(self) -> bool:
        """Whether what lies on the colour should be white."""
        return self.colour in (BLUE, VERMILLION, BLACK, GREEN)

    @property
    def bar(self) -> dict[str, Any]:
        """For the bars and patches of matplotlib."""
        edge = "white" if self.hatch else self.colour
        return {
            "facecolor": self.colour, "hatch": self.hatch, "edgecolor": edge, "linewidth": 0.4
        }  # fmt: skip


Palette = Mapping[str, Look]
"""Looks by the attacks' names."""


def make_palette(attacks: Mapping[str, str]) -> Palette:
    """A look for each attack, the same in every figure of every run.

    The first of a kind has its kind's colour. Others, and kinds of one's own, take what is left, in
    the order of the job, and then all colours again with another line and hatch.

    Args:
        attacks: their kinds by their names.
    """
    firsts = {kind: name for name, kind in reversed(list(attacks.items())) if kind in OF_KIND}
    own = {name: OF_KIND[kind] for kind, name in firsts.items()}
    left = [colour for colour in COLOURS if colour not in own.values()]
    looks = chain((_look(colour, 0) for colour in left), _looks_again())
    return {name: _look(own[name], 0) if name in own else next(looks) for name in attacks}


def _looks_again() -> Iterator[Look]:
    return (_look(colour, again) for again in count(1) for colour in COLOURS)


def _look(colour: str, again: int) -> Look:
    hatch = ("", "////", "....", "xxxx")[again % 4]
    return Look(colour, LINES[again % len(LINES)], hatch)


@contextmanager
def styled() -> Iterator[None]:
    """The style, for what is drawn within."""
    import matplotlib

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of these inches, outside of pyplot's list of open ones."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def saved(figure: Figure, kind: str) -> bytes:
    """A figure as svg, png or pdf, the same bytes each time that it is made."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    target = io.BytesIO()
    with styled():
        figure.savefig(target, format=kind, dpi=DPI, metadata=dates.get(kind))
    return target.getvalue()
