"""Mean normalized objective against time, from the trace.

An incumbent holds until a better one is found, so the mean at a time is the sum of all steps up to
then, over the number of units: one pass over the trace, whatever its length. The same goes for the
mean of squares, and so for the spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from bnnray.report.campaign import Campaign, as_sql
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import Look, Palette
from bnnray.report.panels import Panel, add_lines, draw_panels, label_decades, paged, short_epsilon
from bnnray.report.wilson import Z95

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST = 0.001
"""Seconds of the first time that is looked at."""

PER_DECADE = 16

SQL = """
with steps as (
    select scope, model, epsilon, attack, t.objective / r.objective_max as value,
           lag(value) over (partition by r.number order by t.seconds, t.objective) as before,
           greatest(0, ceil(log10(greatest(t.seconds, {first}) / {first}) * {per_decade} - 1e-9))
               as step
    from trace t join rows r on t.key = r.key
    where r.objective_max > 0 and r.attack in {attacks}
), sums as (
    select scope, model, epsilon, attack, step::int as step, count(*) filter (before is null) as n,
           sum(value - coalesce(before, 0)) as total,
           sum(value ** 2 - coalesce(before, 0) ** 2) as squares
    from steps group by all
), ends as (
    select scope, model, epsilon, attack, max(seconds) as longest from rows group by all
)
select scope, model, epsilon, attack, longest, sum(n),
       list({{'step': step, 'total': total, 'squares': squares}} order by step)
from sums join ends using (scope, model, epsilon, attack)
group by all order by all
"""


@dataclass(frozen=True)
class Curve:
    """The mean over points of objective / largest conceivable, as time goes by.

    Args:
        label: of the line.
        attack: its name.
        points: units.
        seconds: times, rising, evenly on a logarithmic scale.
        means: at these times.
        deviations: standard deviations over the points, likewise.
    """

    label: str
    attack: str
    points: int
    seconds: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @property
    def band(self) -> list[float]:
        """Half the width of the mean's 95 % confidence interval, at each time."""
        return [Z95 * deviation / math.sqrt(self.points) for deviation in self.deviations]


@dataclass(frozen=True)
class CurvePanel:
    """The curves of one model and budget."""

    model: str
    epsilon: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Curves:
    """Panels of one scope."""

    panels: tuple[CurvePanel, ...]


def anytime(campaign: Campaign) -> list[Page[Curves]]:
    """Pages of every attack that searches the largest objective to the end."""
    names = {a.name: a.name for a in campaign.attacks if a.seeks_optimum}
    return curve_pages(campaign, names)


def curve_pages(campaign: Campaign, labels: dict[str, str]) -> list[Page[Curves]]:
    """Pages of at most 12 panels, each of one scope.

    Args:
        campaign: the run.
        labels: of the lines, by the names of the attacks that are shown.
    """
    found: dict[int, dict[tuple[str, float], list[Curve]]] = {}
    sql = SQL.format(attacks=as_sql(labels), first=FIRST, per_decade=PER_DECADE)
    for scope, model, epsilon, attack, longest, points, steps in campaign.tables.fetch(sql):
        curve = _curve(labels[attack], attack, int(points), longest, steps)
        found.setdefault(scope, {}).setdefault((model, epsilon), []).append(curve)
    pages = []
    for scope, by_place in sorted(found.items()):
        title, panels = campaign.scopes[scope].title, _panels(by_place, campaign.models, labels)
        pages += [Page(title, Curves(tuple(some))) for some in paged(panels)]
    return pages


def _panels(
    by_place: dict[tuple[str, float], list[Curve]], models: Sequence[str], labels: dict[str, str]
) -> list[CurvePanel]:
    """By model, budget and attack, as the job lists them."""
    attacks = list(labels)
    places = sorted(by_place, key=lambda place: (models.index(place[0]), place[1]))
    return [
        CurvePanel(*place, tuple(sorted(by_place[place], key=lambda c: attacks.index(c.attack))))
        for place in places
    ]


def _curve(
    label: str, attack: str, points: int, longest: float, steps: Sequence[dict[str, Any]]
) -> Curve:
    last = max(steps[-1]["step"], math.ceil(math.log10(max(longest, FIRST) / FIRST) * PER_DECADE))
    means = _sums(steps, "total", last, points)
    squares = _sums(steps, "squares", last, points)
    return Curve(
        label=label,
        attack=attack,
        points=points,
        seconds=tuple(FIRST * 10 ** (step / PER_DECADE) for step in range(last + 1)),
        means=means,
        deviations=tuple(
            math.sqrt(max(0.0, square - mean**2))
            for mean, square in zip(means, squares, strict=True)
        ),
    )


def _sums(steps: Sequence[dict[str, Any]], what: str, last: int, points: int) -> tuple[float, ...]:
    by_step = {step["step"]: step[what] for step in steps}
    return tuple(
        total / points for total in accumulate(by_step.get(s, 0.0) for s in range(last + 1))
    )


def draw(numbers: Curves, palette: Palette) -> Figure:
    """A panel a model and budget, a line an attack, and a band around it."""
    panels = [
        Panel(f"{p.model}, epsilon = {short_epsilon(p.epsilon)}", partial(_panel, p, palette))
        for p in numbers.panels
    ]
    figure = draw_panels(
        panels, x_label="seconds", y_label="mean normalized objective", share_x=True
    )
    curves = [c for p in numbers.panels for c in p.curves]
    figure.axes[0].set_xlim(left=min(map(_begin, curves)) / 2)
    add_lines(figure, {c.label: palette[c.attack] for c in curves})
    return figure


def _begin(curve: Curve) -> float:
    """When it leaves the clean objective; its end, if it never does."""
    moved = (
        s for s, mean in zip(curve.seconds, curve.means, strict=True) if mean != curve.means[0]
    )
    return next(moved, curve.seconds[-1])


def _panel(panel: CurvePanel, palette: Palette, axes: Axes) -> None:
    axes.set_xscale("log")
    label_decades(axes.xaxis)
    axes.axhline(0, color="#444444", linewidth=0.6)
    for curve in panel.curves:
        _line(axes, curve, palette[curve.attack])


def _line(axes: Axes, curve: Curve, look: Look) -> None:
    axes.step(curve.seconds, curve.means, where="post", color=look.colour, linestyle=look.line)
    pairs = list(zip(curve.means, curve.band, strict=True))
    axes.fill_between(
        curve.seconds,
        [mean - half for mean, half in pairs],
        [mean + half for mean, half in pairs],
        step="post",
        color=look.colour,
        alpha=0.12,
        linewidth=0,
    )


ANYTIME = FigureKind(
    name="anytime",
    title="Objective against time",
    caption="Mean over points of the incumbent's objective over the largest conceivable one, from "
    "the trace; above 0 the network is fooled on average. Bands: 95 % confidence intervals of the "
    "mean. Only attacks that search the largest objective to the end. (Khalil et al. 2018, "
    "figure 4.)",
    pages=anytime,
    draw=draw,
    needs='a trace of an attack with stop = "optimum"',
)
