"""Cactus plot: units decided against seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bnnray.report.campaign import Campaign
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import Palette
from bnnray.report.panels import Panel, add_lines, draw_panels, label_decades
from bnnray.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORNERS = 400
"""Of a line, about: a file of a million of them is of no use."""

LEAST = 0.001
"""Seconds of the fastest units, at least, as the axis is logarithmic."""

SQL = f"""
with counted as (
    select scope, attack, seconds, verdict <> '{Verdict.UNKNOWN}' as decided,
           count(*) over (partition by scope, attack) as units from rows
), ranked as (
    select scope, attack, units, seconds,
           row_number() over (partition by scope, attack order by seconds) as place,
           count(*) over (partition by scope, attack) as decided
    from counted where decided
)
select scope, attack, units,
       list(greatest(seconds, {LEAST}) order by place), list(place order by place)
from ranked
where place = 1 or place = decided or place % greatest(1, decided // {CORNERS}) = 0
group by all order by all
"""


@dataclass(frozen=True)
class CactusLine:
    """Of one attack: ``decided[i]`` units had their verdict within ``seconds[i]`` each."""

    attack: str
    units: int
    seconds: tuple[float, ...]
    decided: tuple[int, ...]


@dataclass(frozen=True)
class Cactus:
    """Lines of one scope; units are all models, points and budgets together."""

    lines: tuple[CactusLine, ...]
    limit: float


def cactus(campaign: Campaign) -> list[Page[Cactus]]:
    """One page a scope."""
    longest = dict(campaign.tables.fetch("select scope, max(seconds) from rows group by scope"))
    order = [a.name for a in campaign.attacks]
    found: dict[int, list[CactusLine]] = {}
    for scope, attack, units, seconds, decided in campaign.tables.fetch(SQL):
        line = CactusLine(attack, units, tuple(seconds), tuple(decided))
        found.setdefault(scope, []).append(line)
    return [
        Page(
            campaign.scopes[scope].title,
            Cactus(tuple(sorted(lines, key=lambda c: order.index(c.attack))), longest[scope]),
        )
        for scope, lines in sorted(found.items())
    ]


def draw(numbers: Cactus, palette: Palette) -> Figure:
    """Seconds on a logarithmic axis, the share of decided units above."""
    figure = draw_panels(
        [Panel("", partial(_panel, numbers, palette))],
        x_label="seconds of each unit, at most",
        y_label="units decided, %",
        height=2.0,
    )
    add_lines(figure, {line.attack: palette[line.attack] for line in numbers.lines})
    return figure


def _panel(numbers: Cactus, palette: Palette, axes: Axes) -> None:
    axes.set_xscale("log")
    label_decades(axes.xaxis)
    axes.set_ylim(0, 102)
    for line in numbers.lines:
        look = palette[line.attack]
        shares = [100 * decided / line.units for decided in line.decided]
        axes.step(
            [line.seconds[0], *line.seconds, max(numbers.limit, line.seconds[-1])],
            [0.0, *shares, shares[-1]],
            where="post",
            color=look.colour,
            linestyle=look.line,
        )


CACTUS = FigureKind(
    name="cactus",
    title="Units decided against seconds",
    caption="A unit is decided when it ends with a replayed flip or a proof that there is none. "
    "Its seconds are those of the whole unit, also where it went on to improve a flip.",
    pages=cactus,
    draw=draw,
    needs="a unit with a verdict",
)
