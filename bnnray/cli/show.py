"""``bnnray show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunName, RunsDir
from bnnray.cli.output import AsJson, print_json, print_table
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged

if TYPE_CHECKING:
    from bnnray.results import RunFolder

COLUMNS = [
    "model", "epsilon", "attack", "verdict", "proof", "status", "target", "objective", "bound",
    "linf", "seconds",
]  # fmt: skip


def show(
    run: RunName,
    what: Annotated[
        str,
        typer.Argument(
            metavar="POINT|KEY",
            help="Number of the image in the split, or a unit's key: its first 6 digits or more.",
        ),
    ],
    png: Annotated[
        Path | None, typer.Option(help="Draw each flip of the point into this PNG file.")
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what every attack says of one point, or all about one unit and its log.

    Example: bnnray show quickstart 3 --png point3.png
    """
    from bnnray.errors import UsageError
    from bnnray.report import is_key
    from bnnray.results import find_run

    folder = find_run(run, runs_dir)
    if not is_key(what):
        _show_point(folder, int(what), png, data_dir, as_json=as_json)
    elif png is None:
        _show_unit(folder, what, as_json=as_json)
    else:
        raise UsageError(f"--png draws the flips of a point, got the key {what}; give its point")


def _show_point(
    folder: RunFolder, point: int, png: Path | None, data_dir: Path | None, *, as_json: bool
) -> None:
    from bnnray.files import check_writable, write_file
    from bnnray.report import picture_png, point_answers, point_pictures

    if png is not None:
        check_writable(png)
    answers, problems = point_answers(folder, point)
    warn_of_damaged(problems, LEFT_OUT)
    if as_json:
        print_json([answer.as_json() for answer in answers])
    else:
        first = answers[0]
        typer.echo(f"point {point}, label {first.label}, domain {first.domain}")
        rows = [[getattr(answer, name) for name in COLUMNS] for answer in answers]
        print_table(COLUMNS, rows, right=["epsilon", *COLUMNS[6:]])
    if png is not None:
        content = picture_png(point_pictures(folder, point, data_dir))
        write_file(png, lambda file: file.write(content))


def _show_unit(folder: RunFolder, digits: str, *, as_json: bool) -> None:
    from bnnray.cli.show_unit import print_unit
    from bnnray.report import unit_story

    story = unit_story(folder, digits)
    warn_of_damaged(story.problems, LEFT_OUT)
    if as_json:
        print_json(story.as_json())
    else:
        print_unit(story, folder.path)
