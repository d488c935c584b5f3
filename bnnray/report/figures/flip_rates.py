"""Flip rate by architecture and epsilon (Khalil et al. 2018, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bnnray.report.campaign import Campaign
from bnnray.report.figures.groups import Groups, group
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import Palette
from bnnray.report.panels import EPSILON, Panel, add_patches, draw_panels, tick_epsilons
from bnnray.report.statistics import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bar:
    """Share of points with a replayed flip, of one attack."""

    model: str
    epsilon: float
    attack: str
    rate: Rate


@dataclass(frozen=True)
class FlipRates:
    """One scope's bars; a combination that did not run has none."""

    groups: Groups
    bars: tuple[Bar, ...]


def flip_rates(campaign: Campaign) -> list[Page[FlipRates]]:
    """One page a scope."""
    pages = []
    for number, scope in enumerate(campaign.scopes):
        bars = tuple(
            Bar(row.model, row.epsilon, row.attack, row.flip_rate)
            for row in campaign.statistics
            if row.scope == number and not row.is_worst_case
        )
        groups = group(campaign, [(bar.model, bar.epsilon, bar.attack) for bar in bars])
        pages.append(Page(scope.title, FlipRates(groups, bars)))
    return pages


def draw(numbers: FlipRates, palette: Palette) -> Figure:
    """A panel a model, a group of bars a budget, a bar an attack, with Wilson's 95 % interval."""
    panels = [Panel(m, partial(_panel, numbers, palette, m)) for m in numbers.groups.models]
    figure = draw_panels(panels, x_label=EPSILON, y_label="flipped, %")
    add_patches(figure, {a: palette[a] for a in numbers.groups.attacks})
    return figure


def _panel(numbers: FlipRates, palette: Palette, model: str, axes: Axes) -> None:
    for bar in numbers.bars:
        if bar.model == model:
            _draw_bar(axes, bar, numbers.groups, palette)
    tick_epsilons(axes, numbers.groups.epsilons)
    axes.set_ylim(0, 100)


def _draw_bar(axes: Axes, bar: Bar, groups: Groups, palette: Palette) -> None:
    look, percent = palette[bar.attack], bar.rate.percent or 0.0
    low, high = bar.rate.interval
    axes.bar(
        groups.at(bar.epsilon, bar.attack),
        percent,
        width=0.9 * groups.width,
        **look.bar,
        yerr=[[percent - low], [high - percent]],
        error_kw={"elinewidth": 0.6, "ecolor": "#777777", "capsize": 1.2, "capthick": 0.6},
    )


FLIP_RATES = FigureKind(
    name="flip_rates",
    title="Flip rate by architecture and epsilon",
    caption="Points with a replayed flip, of all points that were attacked, with Wilson's 95 % "
    "intervals. (Khalil et al. 2018, figure 2.)",
    pages=flip_rates,
    draw=draw,
    needs="finished units",
)
