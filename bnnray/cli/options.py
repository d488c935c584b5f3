"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_RUNS = Path("runs")


def complete_run(incomplete: str) -> list[str]:
    """Names of runs that begin so, for the shell."""
    folder = Path(os.environ.get("BNNRAY_RUNS") or DEFAULT_RUNS)
    names = sorted(path.parent.name for path in folder.glob("*/run.json"))
    return [name for name in names if name.startswith(incomplete)]


RunName = Annotated[
    str, typer.Argument(help="Name of a run, or its folder.", autocompletion=complete_run)
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with the data sets, searched before $BNNRAY_DATA."),
]
RunsDir = Annotated[
    Path,
    typer.Option("--runs-dir", envvar="BNNRAY_RUNS", help="Folder of the run folders."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PLACE=VALUE", help="Change a value: attack.milp.time_limit=30s."
    ),
]
