"""``bnnray compare``."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir, complete_run
from bnnray.cli.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from bnnray.report import Comparison


def compare(
    run: RunName,
    other: Annotated[
        str | None,
        typer.Argument(help="Another run; none: only within one.", autocompletion=complete_run),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    as_json: AsJson = False,
) -> None:
    """Compare what two runs, or one run's attacks, say about the same questions.

    Contradictions come first, such as robust against vulnerable, or an objective above another's
    bound; then the exit code is 4.

    Example: bnnray compare khalil_small khalil_small_highs
    """
    from bnnray.report import compare as ask
    from bnnray.results import find_run

    second = None if other is None else find_run(other, runs_dir)
    found = ask(find_run(run, runs_dir), second)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if found.total:
        raise typer.Exit(4)


def _print(found: Comparison) -> None:
    for contradiction in found.contradictions:
        typer.echo(f"contradiction: {contradiction}")
    if found.total > len(found.contradictions):
        typer.echo(f"and {found.total - len(found.contradictions)} more contradictions")
    if len(found.runs) == 1:
        typer.echo(f"{found.common} questions, {found.total} contradictions")
        return
    a, b = found.runs
    typer.echo(
        f"{found.common} common questions, {found.only_a} only of {a}, {found.only_b} only of {b}; "
        f"{found.total} contradictions"
    )
    if found.pairs:
        typer.echo(f"\nunits that both have; A is {a}, B is {b}:")
        columns = ["model", "epsilon", "attack", "units", "decided only in A", "only in B"]
        columns += ["larger objective in A", "in B", "mean s A", "mean s B"]
        rows = [astuple(pair) for pair in found.pairs]
        print_table(columns, rows, right=["epsilon", *columns[3:]])
