"""``bnnray init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")] = Path(),
) -> None:
    """Copy job files, site profiles and other templates to edit; never over a file.

    Example: bnnray init my_experiments
    """
    from bnnray.submit import copy_out

    for path, written in copy_out(folder):
        typer.echo(f"{path}" if written else f"{path} is there already, and stays")
