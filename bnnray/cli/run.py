"""``bnnray run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, Overrides, RunsDir

if TYPE_CHECKING:
    from bnnray.report import SummaryRow
    from bnnray.runtime import RunResult

RerunChoice = Literal["never", "failed", "unknown", "limit", "all"]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning"]
EXAMPLE_SQL = "select attack, verdict, count(*) from results group by all"


def run(
    job: Annotated[Path, typer.Argument(help="The job file.")],
    local: Annotated[bool, typer.Option("--local", help="Run without Ray.")] = False,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; one is started without it.")
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that running units get after Ctrl-C.")
    ] = 10.0,
    rerun: Annotated[
        RerunChoice,
        typer.Option(help="Units to do again: failed is also what hit a smaller limit."),
    ] = "failed",
    fail_on_error: Annotated[
        int, typer.Option(min=0, help="Exit with 1 if more units than this fail.")
    ] = 0,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of the Ray cluster to wait for.")] = 1,
    min_nodes: Annotated[
        int, typer.Option(min=1, help="Begin with as few when the wait is over.")
    ] = 1,
    node_wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for nodes.")] = 300.0,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="BNNRAY_LOG_FORMAT", help="Of the lines in logs/.")
    ] = "text",
    log_level: Annotated[
        LogLevel, typer.Option(envvar="BNNRAY_LOG_LEVEL", help="debug also logs every unit.")
    ] = "info",
    dashboard: Annotated[
        bool,
        typer.Option("--dashboard", help="With Ray's dashboard; a running cluster has its own."),
    ] = False,
) -> None:
    """Run a job; the same command again does what is left.

    Ctrl-C ends it after the units that run; twice, at once.

    Example: bnnray run jobs/quickstart.toml
    """
    from bnnray.cli.progress import RunBars
    from bnnray.errors import Interrupted, UsageError
    from bnnray.job import load_job
    from bnnray.runtime import NodeWait, Rerun, RunOptions, run_job

    if local and dashboard:
        raise UsageError(
            "--dashboard shows Ray, and --local runs without it; leave one of them out"
        )
    loaded = load_job(job, overrides or [])
    options = RunOptions(
        runs_dir=runs_dir,
        data_dir=data_dir,
        local=local,
        address=address,
        grace=grace,
        rerun=Rerun(rerun),
        nodes=NodeWait(nodes, min_nodes, node_wait),
        log_format=log_format,
        log_level=log_level,
        dashboard=dashboard,
    )
    with RunBars() as bars:
        result = run_job(loaded.job, options, bars)
    _print_summary(result)
    if result.left:
        raise Interrupted(
            f"interrupted with {result.left} of {result.total} units left; "
            "the same command does them"
        )
    if result.failed > fail_on_error:
        raise typer.Exit(1)


def _print_summary(result: RunResult) -> None:
    from rich.console import Console

    from bnnray.report import summarize

    Console().print(_table(summarize(result.folder)))
    folder = result.folder.path
    typer.echo(f'\nResults are in {folder}; query them: bnnray query {folder} "{EXAMPLE_SQL}"')
    if result.failed:
        typer.echo(
            f"{result.failed} units failed; why: bnnray query {folder} "
            "\"select key, message from results where status in ('crashed', 'licence')\"; "
            f"all about one of them: bnnray show {folder} KEY"
        )


def _table(rows: list[SummaryRow]) -> object:
    from rich.table import Table

    names = ["model", "epsilon", "attack", "points", "flipped %", "proven %", "median s"]
    with_failed = any(row.failed for row in rows)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names + ["failed"] * with_failed:
        table.add_column(name, justify="left" if name in ("model", "attack") else "right")
    for row in rows:
        cells = [
            row.model,
            f"{row.epsilon:.4g}",
            row.attack,
            str(row.points),
            f"{row.flipped:.0f}",
            f"{row.proven:.0f}",
            f"{row.seconds:.2f}",
        ]
        table.add_row(*cells, *([str(row.failed)] if with_failed else []))
    return table
