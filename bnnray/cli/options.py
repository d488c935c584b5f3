"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
DEFAULT_RUNS = Path("runs")
