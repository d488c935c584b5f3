"""``bnnray submit``."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, Overrides, RunsDir
from bnnray.cli.words import duration

if TYPE_CHECKING:
    from bnnray.submit import Checked, Plan, SlurmJob, Submitted


def submit(
    context: typer.Context,
    job: Annotated[Path, typer.Argument(help="The job file.")],
    nodes: Annotated[int | None, typer.Option(min=1, help="Nodes to ask for.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Limit of the Slurm job, such as 30 or 12:00:00.")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.")] = None,
    account: Annotated[str | None, typer.Option(help="Whose hours are used.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs of each node.")] = None,
    min_nodes: Annotated[
        int | None, typer.Option(min=1, help="Begin with as few if others do not come.")
    ] = None,
    site: Annotated[
        str, typer.Option(envvar="BNNRAY_SITE", help="Profile of the cluster: cluster/NAME.toml.")
    ] = "generic",
    overrides: Overrides = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the batch script, and submit nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the job's end; its exit code is passed on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Submit a job to Slurm; the same command again goes on with what is left.

    Everything is checked first, and the plan printed. --set site.KEY=VALUE changes the profile.
    What comes after -- goes to sbatch.

    Example: bnnray submit jobs/khalil_mnist.toml --nodes 5 --time 12:00:00 -- --nice=100
    """
    from bnnray.submit import Request, check
    from bnnray.submit import submit as hand_over

    flags = {"nodes": nodes, "time": time, "partition": partition, "account": account}
    flags |= {"gpus": gpus, "min_nodes": min_nodes}
    request = Request(
        job=job,
        overrides=overrides or [],
        site=site,
        flags={key: value for key, value in flags.items() if value is not None},
        runs_dir=runs_dir,
        data_dir=data_dir,
        options=context.args,
        resume=shlex.join(["bnnray", *sys.argv[1:]]),
    )
    checked = check(request)
    if not as_json:
        _print_plan(checked, to_stderr=dry_run)
    if dry_run:
        print(checked.script, end="") if not as_json else _print_json(checked, None)
        return
    submitted = hand_over(checked)
    _print_json(checked, submitted) if as_json else _print_submitted(checked, submitted)
    if wait:
        _wait(submitted)


def _print_plan(checked: Checked, to_stderr: bool) -> None:
    plan = checked.plan
    typer.echo(
        f"{checked.job.name}: {plan.units} units on {plan.nodes} "
        f"{'node' if plan.nodes == 1 else 'nodes'}, {plan.slots} slots",
        err=to_stderr,
    )
    typer.echo(
        f"at most {_hours(plan.cpu_seconds)} CPU hours, and {duration(plan.wall_seconds)} from the "
        "first unit on",
        err=to_stderr,
    )
    if plan.tokens is not None and plan.licensed_units:
        which = f"{plan.licensed_units} of the units may need a licence of Gurobi"
        typer.echo(f"{which}: {plan.tokens} at a time", err=to_stderr)
    if plan.wall_seconds > plan.time_limit:
        typer.echo(_too_short(checked), err=to_stderr)
    typer.echo(f"results will be in {checked.submission.folder}", err=to_stderr)


def _too_short(checked: Checked) -> str:
    site = checked.submission.site
    then = "is run again" if site.requeue else "ends; the same command goes on"
    return f"that may be longer than its time limit ({site.time}): then it drains and {then}"


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"


def _print_submitted(checked: Checked, submitted: Submitted) -> None:
    name = shlex.quote(_run_name(checked))
    typer.echo(f"submitted: Slurm job {submitted.job}")
    for command, what in (
        ("status", "--watch      how far it is"),
        ("logs", "-f             what it says"),
        ("dashboard", "          the ssh tunnel to Ray's dashboard, once it runs"),
        ("cancel", "             ends it after the units that run"),
    ):
        typer.echo(f"  bnnray {command} {name} {what}")


def _run_name(checked: Checked) -> str:
    """As other commands find the run from here."""
    folder = checked.submission.folder
    return folder.name if folder.parent == Path.cwd() / DEFAULT_RUNS else str(folder)


def _print_json(checked: Checked, submitted: Submitted | None) -> None:
    found: dict[str, Any] = {"run": checked.job.name, "folder": str(checked.submission.folder)}
    found |= {"plan": _plan(checked.plan), "slurm_job": submitted and submitted.job}
    if submitted is None:
        found["script"] = checked.script
    print(json.dumps(found, indent=2), flush=True)


def _plan(plan: Plan) -> dict[str, Any]:
    return asdict(plan)


def _wait(submitted: Submitted) -> None:
    from bnnray.submit import tunnel, wait_for_end

    told: set[str] = set()

    def tell(job: SlurmJob) -> None:
        news = {job.state: str(job)}
        if submitted.dashboard is not None:
            news["dashboard"] = tunnel(submitted)
        for line in (text for what, text in news.items() if what not in told):
            print(line, file=sys.stderr, flush=True)
        told.clear()
        told.update(news)

    code = wait_for_end(submitted, tell)
    if code:
        typer.echo(f"it ended with exit code {code}; see {submitted.log}", err=True)
        raise typer.Exit(code)
