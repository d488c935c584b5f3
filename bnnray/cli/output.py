"""What reading commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

PIPED_WIDTH = 1_000_000
"""Wide enough that what another program reads is never wrapped."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """A table without lines; in colour on a terminal unless NO_COLOR is set.

    Args:
        columns: names.
        rows: a value for each of them; None is an empty cell.
        right: columns of numbers, which stand at the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    piped = not sys.stdout.isatty()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=piped, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*(Text("" if value is None else short(value)) for value in row))
    Console(width=PIPED_WIDTH if piped else None).print(table)


def print_json(value: object) -> None:
    """One JSON document; numbers that JSON has no word for are null."""
    json.dump(jsonable(value), sys.stdout, default=str, indent=2)
    sys.stdout.write("\n")


def jsonable(value: Any) -> Any:
    """The same with null for infinite and undefined numbers, anywhere in it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return value


def short(value: object) -> str:
    """A cell of a table."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
