"""``bnnray show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunName, RunsDir
from bnnray.cli.output import AsJson, print_json, print_table
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged

COLUMNS = [
    "model", "epsilon", "attack", "verdict", "proof", "status", "target", "objective", "bound",
    "linf", "seconds",
]  # fmt: skip


def show(
    run: RunName,
    point: Annotated[int, typer.Argument(min=0, help="Number of the image in the split.")],
    png: Annotated[Path | None, typer.Option(help="Draw each flip into this PNG file.")] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what every attack says of one point.

    Example: bnnray show quickstart 3 --png point3.png
    """
    from bnnray.files import check_writable, write_file
    from bnnray.report import picture_png, point_answers, point_pictures
    from bnnray.results import find_run

    folder = find_run(run, runs_dir)
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
