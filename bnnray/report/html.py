"""A report as one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bnnray.report.panels import short_epsilon

if TYPE_CHECKING:
    from bnnray.report.report import Drawing, Report
    from bnnray.report.statistics import AttackStatistics, Rate

TEMPLATE = "report.html.j2"


def render(report: Report) -> str:
    """The page; whatever comes from the run is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bnnray.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"epsilon": short_epsilon, "rate": _rate, "seconds": _seconds}
    template = environment.get_template(TEMPLATE)
    return template.render(
        report=report,
        tables=[(scope.title, _rows(report, n)) for n, scope in enumerate(report.scopes)],
        provenance=list(_facts(report.provenance)),
        figures=[(d, _image(d)) for d in report.drawings],
    )


def _rows(report: Report, scope: int) -> list[AttackStatistics]:
    return [row for row in report.statistics if row.scope == scope]


def _facts(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What run.json says, a line each."""
    for name, value in provenance.items():
        if name == "sessions":
            yield "sessions", str(len(value))
        elif isinstance(value, Mapping):
            yield name, ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            yield name, " ".join(map(str, value))
        else:
            yield name, str(value)


def _image(drawing: Drawing) -> str:
    """A figure as a URI that holds it: SVG, or PNG where pixels are shown."""
    kind, media = ("svg", "image/svg+xml") if drawing.kind.vector else ("png", "image/png")
    return f"data:{media};base64,{base64.b64encode(drawing.save(kind)).decode()}"


def _rate(rate: Rate) -> str:
    if rate.percent is None:
        return ""
    low, high = rate.interval
    return f"{rate.percent:.1f} ({low:.1f}\N{EN DASH}{high:.1f})"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"
