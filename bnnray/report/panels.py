"""Panels side by side, and the legend above them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bnnray.report.look import COLUMN, PAGE, Look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

P = TypeVar("P")

EPSILON = "epsilon (share of the pixel range)"
ROW = 3
"""Panels in a row of a page."""

MOST = 12
"""Panels on a page."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes: its title, and what draws into it."""

    title: str
    draw: Callable[[Axes], object]


def paged(panels: Sequence[P]) -> list[Sequence[P]]:
    """At most 12 panels at a time."""
    return [panels[start : start + MOST] for start in range(0, len(panels), MOST)]


def draw_panels(
    panels: Sequence[Panel],
    *,
    x_label: str,
    y_label: str,
    height: float = 1.5,
    share_x: bool = False,
) -> Figure:
    """One panel in a column's width, more of them in rows of three over the page.

    Args:
        panels: at least one; all have the same vertical axis.
        x_label, y_label: with units; once for all of them.
        height: of each row, in inches.
        share_x: whether they have the same horizontal axis, too.
    """
    columns = min(len(panels), ROW)
    rows = -(-len(panels) // columns)
    figure = new_figure(COLUMN if columns == 1 else PAGE, height * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        panels[place].draw(axes)
        axes.set_title(panels[place].title)
        if place + columns >= len(panels):
            axes.tick_params(labelbottom=True)
    figure.supxlabel(x_label, fontsize="medium")
    figure.supylabel(y_label, fontsize="medium")
    return figure


def add_legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """One legend for all panels, above them."""
    wide = figure.get_figwidth() > COLUMN
    columns = min(len(labels), 8 if wide else 4)
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns,
        columnspacing=1,
        handlelength=1.4,
    )


def add_patches(figure: Figure, looks: Mapping[str, Look]) -> None:
    """A legend of bars, by the attacks' names."""
    from matplotlib.patches import Patch

    add_legend(figure, [Patch(**look.bar) for look in looks.values()], list(looks))


def add_lines(figure: Figure, looks: Mapping[str, Look]) -> None:
    """A legend of lines, by their names."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=k.colour, linestyle=k.line) for k in looks.values()]
    add_legend(figure, handles, list(looks))


def label_decades(axis: Axis) -> None:
    """Plain numbers at the decades of a logarithmic axis: 0.01, 1, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def tick_epsilons(axes: Axes, epsilons: Sequence[float]) -> None:
    """A tick for each budget, the first at 0, the next at 1."""
    axes.set_xticks(range(len(epsilons)), [short_epsilon(e) for e in epsilons])
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.5, len(epsilons) - 0.5)


def short_epsilon(epsilon: float) -> str:
    """A budget as short text: "0.01", or "2/255" where it is a whole number of levels."""
    levels = epsilon * 255
    if abs(levels - round(levels)) < 1e-9 and round(levels) not in (0, 255, 51):
        return f"{round(levels)}/255"
    return f"{epsilon:.4g}"
