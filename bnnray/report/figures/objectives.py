"""Box plots of the normalized objective (Khalil et al. 2018, figure 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bnnray.report.campaign import Campaign
from bnnray.report.figures.groups import Groups, group
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import Palette
from bnnray.report.panels import EPSILON, Panel, add_patches, draw_panels, tick_epsilons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILES = ", ".join(f"quantile_cont(normalized, {q})" for q in (0.05, 0.25, 0.5, 0.75, 0.95))

SQL = """
select scope, model, epsilon, attack,
       {quantiles}, avg(normalized), count(*)
from rows where normalized is not null and attack in {attacks}
group by scope, model, epsilon, attack
order by all
"""


@dataclass(frozen=True)
class Box:
    """Objectives of one attack's incumbents, each over the largest conceivable one.

    Args:
        low, first, median, third, high: quantiles 0.05, 0.25, 0.5, 0.75, 0.95.
        mean: of all of them.
        points: how many there are.
    """

    model: str
    epsilon: float
    attack: str
    low: float
    first: float
    median: float
    third: float
    high: float
    mean: float
    points: int


@dataclass(frozen=True)
class Objectives:
    """One scope's boxes."""

    groups: Groups
    boxes: tuple[Box, ...]


def objectives(campaign: Campaign) -> list[Page[Objectives]]:
    """One page a scope, of the attacks that search the largest objective to the end."""
    found: dict[int, list[Box]] = {}
    sql = SQL.format(quantiles=QUANTILES, attacks=campaign.optimizers())
    for scope, *box in campaign.tables.fetch(sql):
        found.setdefault(scope, []).append(Box(*box))
    return [
        Page(
            campaign.scopes[scope].title,
            Objectives(
                group(campaign, [(b.model, b.epsilon, b.attack) for b in boxes]), tuple(boxes)
            ),
        )
        for scope, boxes in sorted(found.items())
    ]


def draw(numbers: Objectives, palette: Palette) -> Figure:
    """A panel a model, a group of boxes a budget, a box an attack."""
    panels = [Panel(m, partial(_panel, numbers, palette, m)) for m in numbers.groups.models]
    figure = draw_panels(panels, x_label=EPSILON, y_label="normalized objective")
    add_patches(figure, {a: palette[a] for a in numbers.groups.attacks})
    return figure


def _panel(numbers: Objectives, palette: Palette, model: str, axes: Axes) -> None:
    axes.axhline(0, color="#444444", linewidth=0.6)
    for box in numbers.boxes:
        if box.model == model:
            _draw_box(axes, box, numbers.groups, palette)
    tick_epsilons(axes, numbers.groups.epsilons)


def _draw_box(axes: Axes, box: Box, groups: Groups, palette: Palette) -> None:
    look = palette[box.attack]
    shown = {
        "whislo": box.low, "q1": box.first, "med": box.median, "q3": box.third,
        "whishi": box.high, "mean": box.mean,
    }  # fmt: skip
    thin = {"color": "#333333", "linewidth": 0.6}
    axes.bxp(
        [shown],
        positions=[groups.at(box.epsilon, box.attack)],
        widths=0.8 * groups.width,
        patch_artist=True,
        showfliers=False,
        showmeans=True,
        manage_ticks=False,
        boxprops={**look.bar, "edgecolor": "#333333", "linewidth": 0.6},
        medianprops={"color": "white" if look.dark else "black", "linewidth": 1.0},
        meanprops={
            "marker": "D", "markersize": 1.8, "markerfacecolor": "white",
            "markeredgecolor": "#333333", "markeredgewidth": 0.5,
        },
        whiskerprops=thin,
        capprops=thin,
    )  # fmt: skip


OBJECTIVES = FigureKind(
    name="objectives",
    title="Normalized objective",
    caption="Objective of the incumbent over the largest objective that the last hidden layer "
    "could give; above 0 the network is fooled. Boxes: quartiles, with the median as a line and "
    "the mean as a diamond; whiskers: 5 % and 95 % quantiles. Attacks that stop at the first flip "
    "or seek the smallest perturbation are left out. (Khalil et al. 2018, figure 3.)",
    pages=objectives,
    draw=draw,
    needs='an attack with stop = "optimum"',
)
