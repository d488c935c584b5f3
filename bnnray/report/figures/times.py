"""Scatter of two attacks' times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bnnray.report.campaign import Campaign
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import BLACK, BLUE, GREY, VERMILLION, Palette
from bnnray.report.panels import Panel, draw_panels, label_decades
from bnnray.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 2000
"""Points that are drawn. Questions are digests, so the first of them are a fair sample."""

LEAST = 0.001

PAIRS = f"""
select a.scope, a.attack, b.attack,
       count(*) filter (a.verdict <> '{Verdict.UNKNOWN}') *
       count(*) filter (b.verdict <> '{Verdict.UNKNOWN}') as decided
from rows a join rows b on a.question = b.question and a.attack < b.attack
group by all having decided > 0
order by a.scope, decided desc, a.attack, b.attack
"""

POINTS = f"""
select case when '{Verdict.VULNERABLE}' in (a.verdict, b.verdict) then '{Verdict.VULNERABLE}'
            when '{Verdict.ROBUST}' in (a.verdict, b.verdict) then '{Verdict.ROBUST}'
            else '{Verdict.UNKNOWN}' end,
       if(a.verdict = '{Verdict.UNKNOWN}', greatest(a.seconds, a.time_limit), a.seconds),
       if(b.verdict = '{Verdict.UNKNOWN}', greatest(b.seconds, b.time_limit), b.seconds),
       a.time_limit, b.time_limit
from rows a join rows b using (question)
where a.attack = {{first}} and b.attack = {{second}} and a.scope = {{scope}}
order by question limit {MOST}
"""

COLOURS = {Verdict.VULNERABLE: VERMILLION, Verdict.ROBUST: BLUE, Verdict.UNKNOWN: GREY}
MARKS = {Verdict.VULNERABLE: "x", Verdict.ROBUST: "o", Verdict.UNKNOWN: "."}


@dataclass(frozen=True)
class Timed:
    """One question: what the two attacks together say, and what each took; undecided ones count
    with their limit."""

    verdict: Verdict
    first: float
    second: float


@dataclass(frozen=True)
class Times:
    """Two attacks' times on the same questions.

    Args:
        first, second: the attacks.
        first_limit, second_limit: their time limits in seconds.
        points: at most 2,000 of the questions.
    """

    first: str
    second: str
    first_limit: float
    second_limit: float
    points: tuple[Timed, ...]


def times(campaign: Campaign) -> list[Page[Times]]:
    """One page a scope: the two attacks that decide most questions."""
    pairs: dict[int, tuple[str, str]] = {}
    for scope, first, second, _ in campaign.tables.fetch(PAIRS):
        pairs.setdefault(scope, (first, second))
    return [
        Page(campaign.scopes[scope].title, _times(campaign, scope, *pair))
        for scope, pair in pairs.items()
    ]


def _times(campaign: Campaign, scope: int, first: str, second: str) -> Times:
    names = {"first": _quoted(first), "second": _quoted(second)}
    rows = campaign.tables.fetch(POINTS.format(scope=scope, **names))
    return Times(
        first=first,
        second=second,
        first_limit=max(row[3] for row in rows),
        second_limit=max(row[4] for row in rows),
        points=tuple(Timed(Verdict(verdict), a, b) for verdict, a, b, _, _ in rows),
    )


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def draw(numbers: Times, _palette: Palette) -> Figure:
    """Both axes logarithmic, the limits as lines; below the diagonal the second is faster."""
    from matplotlib.lines import Line2D

    figure = draw_panels(
        [Panel("", partial(_panel, numbers))],
        x_label=f"seconds of {numbers.first}",
        y_label=f"seconds of {numbers.second}",
        height=2.5,
    )
    shown = [v for v in COLOURS if any(p.verdict is v for p in numbers.points)]
    handles = [Line2D([], [], **_mark(v)) for v in shown]
    figure.legend(handles, list(shown), loc="outside upper center", ncols=3)
    return figure


def _panel(numbers: Times, axes: Axes) -> None:
    limits = numbers.first_limit, numbers.second_limit
    low = max(LEAST, min((min(p.first, p.second) for p in numbers.points), default=LEAST)) / 1.5
    high = 1.8 * max(*limits, *(max(p.first, p.second) for p in numbers.points))
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), box_aspect=1)
    label_decades(axes.xaxis)
    label_decades(axes.yaxis)
    axes.plot([low, high], [low, high], color=BLACK, linewidth=0.6)
    axes.axvline(limits[0], color=BLACK, linewidth=0.6, linestyle="--")
    axes.axhline(limits[1], color=BLACK, linewidth=0.6, linestyle="--")
    for verdict in COLOURS:
        chosen = [p for p in numbers.points if p.verdict is verdict]
        axes.plot(
            [max(p.first, LEAST) for p in chosen],
            [max(p.second, LEAST) for p in chosen],
            **_mark(verdict),
        )


def _mark(verdict: Verdict) -> dict[str, Any]:
    colour = COLOURS[verdict]
    return {
        "linestyle": "", "marker": MARKS[verdict], "color": colour, "markeredgewidth": 0.7,
        "markerfacecolor": "none" if verdict is Verdict.ROBUST else colour,
    }  # fmt: skip


TIMES = FigureKind(
    name="times",
    title="Two attacks' times",
    caption="Each mark is a question that both were asked, coloured by what they know together; "
    "the dashed lines are the time limits, where questions lie that an attack left open. The two "
    "attacks are those that decide most. Of more than 2,000 questions a sample.",
    pages=times,
    draw=draw,
    needs="two attacks with verdicts on the same questions",
)
