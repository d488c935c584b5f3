"""``bnnray doctor``."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunsDir
from bnnray.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from bnnray.doctor import Finding, Setting

MARKS = {"ok": "ok", "note": "note", "warning": "warn", "failure": "FAIL"}


def doctor(
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    site: Annotated[
        str | None,
        typer.Option(envvar="BNNRAY_SITE", help="Profile of the cluster: cluster/NAME.toml."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine and the cluster around it: what may keep bnnray from its work.

    Type it on a login node, then inside an allocation: srun -n1 bnnray doctor. It changes nothing,
    and takes no licence token. The exit code is 1 where something does not work.

    Example: bnnray doctor --site mycluster
    """
    from bnnray.doctor import examine, read_setting

    setting = read_setting(runs_dir, data_dir, site)
    findings: list[Finding] = []
    if not as_json:
        typer.echo(_title(setting))
    for finding in examine(setting):
        findings.append(finding)
        if not as_json:
            _print(finding)
    counts = Counter(finding.level.value for finding in findings)
    if as_json:
        print_json(_json(setting, findings))
    else:
        typer.echo(_summary(counts))
    if counts["failure"]:
        raise typer.Exit(1)


def _title(setting: Setting) -> str:
    return f"{platform.node()}{f', inside Slurm job {setting.job}' if setting.job else ''}"


def _print(finding: Finding) -> None:
    typer.echo(f"{MARKS[finding.level]:5}{finding.check:14}{finding.said}")
    if finding.hint:
        typer.echo(f"{'':5}{finding.hint}")


def _summary(counts: Counter[str]) -> str:
    of = ", ".join(f"{counts[level]} {MARKS[level]}" for level in reversed(MARKS) if counts[level])
    return f"{counts.total()} checks: {of}"


def _json(setting: Setting, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "ok": all(finding.level != "failure" for finding in findings),
        "host": platform.node(),
        "slurm_job": setting.job,
        "checks": [{"check": f.check, **asdict(f)} for f in findings],
    }
