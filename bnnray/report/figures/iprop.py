"""IProp's step sizes and warm starts (Khalil et al. 2018, figures 5 and 6)."""

from __future__ import annotations

from bnnray.report.campaign import Campaign, RunAttack
from bnnray.report.figures.curves import Curves, curve_pages, draw
from bnnray.report.figures.kind import FigureKind, Page


def step_sizes(campaign: Campaign) -> list[Page[Curves]]:
    """Adaptive against constant steps, of attacks that differ in nothing else."""
    chosen = _alike(campaign, "step")
    return curve_pages(campaign, {a.name: _step(a) for a in chosen}) if chosen else []


def warm_starts(campaign: Campaign) -> list[Page[Curves]]:
    """With against without, of attacks that differ in nothing else."""
    chosen = _alike(campaign, "warm_start")
    return curve_pages(campaign, {a.name: _start(a) for a in chosen}) if chosen else []


def _alike(campaign: Campaign, setting: str) -> list[RunAttack]:
    """The largest group of IProps of which each has another value of this setting alone."""
    groups: dict[str, list[RunAttack]] = {}
    for attack in campaign.attacks:
        if attack.kind == "iprop" and attack.seeks_optimum:
            rest = {k: v for k, v in attack.settings.items() if k not in (setting, "name")}
            groups.setdefault(repr(sorted(rest.items())), []).append(attack)
    largest = max(groups.values(), key=len, default=[])
    return largest if len(largest) > 1 else []


def _step(attack: RunAttack) -> str:
    return f"S = {attack.settings.get('step')}"


def _start(attack: RunAttack) -> str:
    start = attack.settings.get("warm_start")
    return f"{start['kind']} for {start['time_limit']} first" if start else "no warm start"


STEP_SIZES = FigureKind(
    name="step_sizes",
    title="IProp: adaptive against constant steps",
    caption="Mean objective against time, as above, of IProp with different step sizes S. "
    "(Khalil et al. 2018, figure 5.)",
    pages=step_sizes,
    draw=draw,
    needs="two attacks of kind iprop that differ in step alone",
)

WARM_STARTS = FigureKind(
    name="warm_starts",
    title="IProp: warm start against none",
    caption="Mean objective against time, as above, of IProp with and without a warm start, which "
    "counts in the time. (Khalil et al. 2018, figure 6.)",
    pages=warm_starts,
    draw=draw,
    needs="two attacks of kind iprop that differ in warm_start alone",
)
