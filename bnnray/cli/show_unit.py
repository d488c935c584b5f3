"""What ``bnnray show RUN KEY`` prints of a unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bnnray.cli.options import DEFAULT_RUNS
from bnnray.cli.output import print_table, short
from bnnray.cli.words import printable

if TYPE_CHECKING:
    from bnnray.logs import Event
    from bnnray.report import UnitStory

FIRST = ("attack", "model", "point", "epsilon")
"""What a unit is, printed first."""

ROW = (
    "label", "predicted", "target", "goal", "against", "tie", "domain", "levels", "mask_pixels",
    "max_pixels", "minimize", "settings", "seed", "verdict", "proof", "status", "decided_by",
    "message", "replay", "objective", "bound", "objective_clean", "distance", "distance_bound",
    "linf", "l0", "seconds", "time_limit", "build_seconds", "solve_seconds", "warm_start_seconds",
    "stage_seconds", "cpu_seconds", "peak_rss_bytes", "memory_limit_bytes", "backend", "iterations",
    "nodes", "attempt", "session", "host", "started_at", "finished_at",
)  # fmt: skip


def print_unit(story: UnitStory, folder: Path) -> None:
    """Prints a unit: its row, its curve, earlier rows, its log, and how to do it again."""
    typer.echo(f"unit {story.key}")
    width = max(map(len, ROW))
    for name, value in _facts(story):
        if value is not None and value != "":
            typer.echo(f"  {name:<{width}}  {short(value)}")
    if story.earlier:
        typer.echo("\nrows that do not count any more")
        columns = list(story.earlier[0])
        print_table(columns, [[row[c] for c in columns] for row in story.earlier])
    typer.echo("\nlog" if story.log else "\nno log says anything about it")
    for event in story.log:
        _print_event(event)
    if story.again:
        option = "" if story.again == "failed" else f" --rerun {story.again}"
        place = "" if folder.parent == DEFAULT_RUNS else f" --runs-dir {folder.parent}"
        command = f"bnnray run {folder}/job.toml{place}{option}"
        typer.echo(f"\ndone again, with all that ended so, by: {command}")


def _print_event(event: Event) -> None:
    """One line, and below it fields of several lines, such as tracebacks."""
    long = [name for name, value in event.fields.items() if "\n" in str(value)]
    brief = {name: value for name, value in event.fields.items() if name not in long}
    typer.echo(f"  {replace(event, fields=brief).as_text()}")
    for line in (line for name in long for line in str(event.fields[name]).splitlines()):
        typer.echo(f"      {printable(line)}")


def _facts(story: UnitStory) -> Iterator[tuple[str, Any]]:
    known = story.row or story.planned or {}
    for name in FIRST:
        yield name, known.get(name)
    if story.row is None:
        yield "status", "not done yet" if story.planned else "the job has it no more"
    for name in ROW:
        yield name, story.row and story.row[name]
    curve = story.curve
    if curve is not None:
        yield (
            "trace",
            f"objective {short(curve.first)} at first, {short(curve.last)} after "
            f"{short(curve.seconds)} s; {curve.improvements} improvements",
        )
