"""Flips, proofs and unknown points against epsilon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bnnray.report.campaign import Campaign
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import BLUE, GREY, VERMILLION, Palette
from bnnray.report.panels import EPSILON, Panel, add_legend, draw_panels, paged, tick_epsilons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"flipped": VERMILLION, "unknown": GREY, "proven robust": BLUE}
HATCHES = {"flipped": "////", "unknown": "", "proven robust": ""}


@dataclass(frozen=True)
class VerdictPanel:
    """Points by verdict, of one model and attack, for each budget."""

    model: str
    attack: str
    epsilons: tuple[float, ...]
    vulnerable: tuple[int, ...]
    unknown: tuple[int, ...]
    robust: tuple[int, ...]


@dataclass(frozen=True)
class Verdicts:
    """Panels of one scope."""

    panels: tuple[VerdictPanel, ...]


def verdicts(campaign: Campaign) -> list[Page[Verdicts]]:
    """Pages of at most 12 panels, each of one scope; the worst case of all attacks included."""
    pages = []
    for number, scope in enumerate(campaign.scopes):
        panels = _panels(campaign, number)
        pages += [Page(scope.title, Verdicts(tuple(some))) for some in paged(panels)]
    return pages


def _panels(campaign: Campaign, scope: int) -> list[VerdictPanel]:
    rows = [row for row in campaign.statistics if row.scope == scope]
    panels = []
    for model, attack in dict.fromkeys((row.model, row.attack) for row in rows):
        here = [row for row in rows if (row.model, row.attack) == (model, attack)]
        panels.append(
            VerdictPanel(
                model=model,
                attack=attack,
                epsilons=tuple(row.epsilon for row in here),
                vulnerable=tuple(row.vulnerable for row in here),
                unknown=tuple(row.unknown for row in here),
                robust=tuple(row.robust for row in here),
            )
        )
    return panels


def draw(numbers: Verdicts, _palette: Palette) -> Figure:
    """A panel a model and attack, a stacked bar a budget."""
    from matplotlib.patches import Patch

    panels = [Panel(f"{p.model}, {p.attack}", partial(_panel, p)) for p in numbers.panels]
    figure = draw_panels(panels, x_label=EPSILON, y_label="points, %", height=1.25)
    handles = [Patch(facecolor=COLOURS[k], hatch=HATCHES[k], edgecolor="white") for k in COLOURS]
    add_legend(figure, handles, list(COLOURS))
    return figure


def _panel(panel: VerdictPanel, axes: Axes) -> None:
    counts = [panel.vulnerable, panel.unknown, panel.robust]
    totals = [sum(some) for some in zip(*counts, strict=True)]
    below = [0.0] * len(totals)
    for name, found in zip(COLOURS, counts, strict=True):
        shares = [100 * count / total for count, total in zip(found, totals, strict=True)]
        axes.bar(
            range(len(shares)),
            shares,
            bottom=below,
            width=0.7,
            facecolor=COLOURS[name],
            hatch=HATCHES[name],
            edgecolor="white",
            linewidth=0.4,
        )
        below = [under + share for under, share in zip(below, shares, strict=True)]
    tick_epsilons(axes, panel.epsilons)
    axes.set_ylim(0, 100)


VERDICTS = FigureKind(
    name="verdicts",
    title="Flips, proofs and unknown points against epsilon",
    caption="Flipped: a replayed flip. Proven robust: a proof that there is none. The worst case "
    "takes all attacks together.",
    pages=verdicts,
    draw=draw,
    needs="finished units",
)
