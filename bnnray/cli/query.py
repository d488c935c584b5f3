"""``bnnray query``."""

from __future__ import annotations

import csv
import itertools
import json
import math
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunsDir
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged

if TYPE_CHECKING:
    from bnnray.results import Answer


class Format(StrEnum):
    """How a query's answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    run: Annotated[str, typer.Argument(help="Name of a run, or its folder.")],
    sql: Annotated[
        str,
        typer.Argument(
            help="SQL over results, all_results, trace, witnesses, subproblems, proofs, archived "
            "and units."
        ),
    ],
    runs_dir: RunsDir = DEFAULT_RUNS,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Ask a run's results in SQL, also while it runs.

    Example: bnnray query quickstart "select attack, verdict, count(*) from results group by all"
    """
    from bnnray.results import find_run
    from bnnray.results import query as ask

    answer = ask(find_run(run, Path(runs_dir)), sql)
    warn_of_damaged(answer.problems, LEFT_OUT)
    PRINTERS[format_](answer)


def _print_table(answer: Answer) -> None:
    from rich.console import Console
    from rich.table import Table

    piped = not sys.stdout.isatty()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in answer.columns:
        table.add_column(name, no_wrap=piped)
    for row in answer.rows:
        table.add_row(*("" if value is None else _short(value) for value in row))
    Console(width=PIPED_WIDTH if piped else None).print(table)


PIPED_WIDTH = 1_000_000
"""Wide enough that what another program reads is never wrapped."""


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def _print_json(answer: Answer) -> None:
    names = _unique(answer.columns)
    rows = [
        {name: _jsonable(value) for name, value in zip(names, row, strict=True)}
        for row in answer.rows
    ]
    json.dump(rows, sys.stdout, default=str, indent=2)
    sys.stdout.write("\n")


def _unique(names: Sequence[str]) -> list[str]:
    """Columns of equal names get numbers, as an object keeps only one of them."""
    found: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(2))
        free = (n for n in itertools.chain([name], others) if n not in found)
        found.append(next(n for n in free if n == name or n not in names))
    return found


def _jsonable(value: object) -> object:
    """JSON has no word for infinite or undefined numbers."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


PRINTERS = {Format.TABLE: _print_table, Format.CSV: _print_csv, Format.JSON: _print_json}
