"""``bnnray query``."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir
from bnnray.cli.output import AsJson, print_json, print_table
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged

if TYPE_CHECKING:
    from bnnray.results import Answer, RunFolder


class Format(StrEnum):
    """How a query's answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def query(
    run: RunName,
    sql: Annotated[
        str,
        typer.Argument(
            help="SQL over results, all_results, trace, witnesses, subproblems, proofs, archived "
            "and units."
        ),
    ],
    runs_dir: RunsDir = DEFAULT_RUNS,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file of --format parquet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a run's results in SQL, also while it runs.

    Example: bnnray query quickstart "select attack, verdict, count(*) from results group by all"
    """
    from bnnray.errors import UsageError
    from bnnray.results import find_run
    from bnnray.results import query as ask

    format_ = Format.JSON if as_json else format_
    if (format_ is Format.PARQUET) != (output is not None):
        raise UsageError("--format parquet and -o FILE go together; give both or neither")
    folder = find_run(run, runs_dir)
    if output is not None:
        _write(folder, sql, output)
        return
    answer = ask(folder, sql)
    warn_of_damaged(answer.problems, LEFT_OUT)
    PRINTERS[format_](answer)


def _write(folder: RunFolder, sql: str, output: Path) -> None:
    from bnnray.files import check_writable
    from bnnray.results import query_table, write_arrow

    check_writable(output)
    table, problems = query_table(folder, sql)
    warn_of_damaged(problems, LEFT_OUT)
    table = table.rename_columns(_unique(table.column_names))
    write_arrow(output, table)
    typer.echo(f"{output}: {len(table)} rows")


def _print_table(answer: Answer) -> None:
    print_table(answer.columns, answer.rows)


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def _print_json(answer: Answer) -> None:
    names = _unique(answer.columns)
    print_json([dict(zip(names, row, strict=True)) for row in answer.rows])


def _unique(names: Sequence[str]) -> list[str]:
    """Columns of equal names get numbers, as an object keeps only one of them."""
    found: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(2))
        free = (n for n in itertools.chain([name], others) if n not in found)
        found.append(next(n for n in free if n == name or n not in names))
    return found


PRINTERS = {Format.TABLE: _print_table, Format.CSV: _print_csv, Format.JSON: _print_json}
