"""A run's report: statistics, figures, and one HTML file of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnray.files import write_file
from bnnray.report.campaign import open_campaign
from bnnray.report.compare import Contradiction, contradictions
from bnnray.report.figures import FIGURES, FigureKind, Page
from bnnray.report.html import render
from bnnray.report.look import Palette, make_palette, saved, styled
from bnnray.report.scope import Scope
from bnnray.report.statistics import AttackStatistics
from bnnray.report.status import RunStatus, run_status
from bnnray.results import RunFolder, Tables, read


@dataclass(frozen=True)
class Drawing:
    """One figure of a report.

    Args:
        kind: what it shows.
        page: its numbers.
        name: of its files, without a suffix.
        palette: the colours of the attacks.
    """

    kind: FigureKind[Any]
    page: Page[Any]
    name: str
    palette: Palette

    def save(self, kind: str) -> bytes:
        """The figure as svg, png or pdf."""
        with styled():
            return saved(self.kind.draw(self.page.numbers, self.palette), kind)


@dataclass(frozen=True)
class Report:
    """Everything that a report says, before it is drawn.

    Args:
        run: its name.
        status: how far it is.
        provenance: what run.json says.
        scopes: what is never counted together.
        statistics: for each scope, model, epsilon and attack.
        contradictions: answers of which one is wrong; there should be none.
        drawings: the figures, in order.
        missing: figures that the run has no data for.
    """

    run: str
    status: RunStatus
    provenance: Mapping[str, Any]
    scopes: tuple[Scope, ...]
    statistics: tuple[AttackStatistics, ...]
    contradictions: tuple[Contradiction, ...]
    drawings: tuple[Drawing, ...]
    missing: tuple[FigureKind[Any], ...]

    def html(self) -> str:
        """One page that needs nothing else, figures included."""
        return render(self)

    def write(self, path: Path) -> None:
        """Writes the HTML file, complete or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        _write(path, self.html().encode())

    def write_figures(self, folder: Path) -> list[Path]:
        """Writes each figure as PNG and as PDF with its fonts in it, and says which files.

        Raises:
            StorageError: a file cannot be written.
        """
        written = []
        for drawing in self.drawings:
            for kind in ("png", "pdf"):
                path = folder / f"{drawing.name}.{kind}"
                _write(path, drawing.save(kind))
                written.append(path)
        return written

    def as_json(self) -> dict[str, Any]:
        """The numbers as JSON can hold them, those of the figures included."""
        return {
            "run": self.run,
            "status": self.status.as_json(),
            "provenance": dict(self.provenance),
            "statistics": [s.as_json(self.scopes[s.scope]) for s in self.statistics],
            "contradictions": [dataclasses.asdict(c) for c in self.contradictions],
            "figures": [
                {
                    "name": d.name,
                    "scope": d.page.title,
                    "numbers": dataclasses.asdict(d.page.numbers) if d.kind.vector else None,
                }
                for d in self.drawings
            ],
            "missing": {kind.name: kind.needs for kind in self.missing},
        }


def make_report(run: RunFolder, data_dir: Path | None = None) -> Report:
    """Reads everything that a report of a run needs; a driver may be writing to it.

    Args:
        run: the folder.
        data_dir: searched for the data set before $BNNRAY_DATA; without the images two figures
            are left out.

    Raises:
        RunFolderError: a file cannot be read.
    """
    return read(run, lambda tables: _report(run, tables, data_dir))


def statistics(run: RunFolder) -> dict[Scope, list[AttackStatistics]]:
    """The numbers that papers print, for each scope: never box with grid.

    Raises:
        RunFolderError: a file cannot be read.
    """
    campaign = read(run, lambda tables: open_campaign(run, tables))
    return {
        scope: [s for s in campaign.statistics if s.scope == number]
        for number, scope in enumerate(campaign.scopes)
    }


def _report(run: RunFolder, tables: Tables, data_dir: Path | None) -> Report:
    campaign = open_campaign(run, tables, data_dir)
    palette = make_palette({a.name: a.kind for a in campaign.attacks})
    pages = {kind.name: kind.pages(campaign) for kind in FIGURES}
    return Report(
        run=run.path.resolve().name,
        status=run_status(run),
        provenance=run.provenance(),
        scopes=campaign.scopes,
        statistics=campaign.statistics,
        contradictions=contradictions(run, tables),
        drawings=tuple(
            Drawing(kind, page, _file_name(kind, number), palette)
            for kind in FIGURES
            for number, page in enumerate(pages[kind.name], 1)
        ),
        missing=tuple(kind for kind in FIGURES if not pages[kind.name]),
    )


def _file_name(kind: FigureKind[Any], number: int) -> str:
    return kind.name if number == 1 else f"{kind.name}-{number}"


def _write(path: Path, content: bytes) -> None:
    write_file(path, lambda file: file.write(content))
