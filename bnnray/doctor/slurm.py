"""Slurm: its commands, whether it answers, the partition."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.setting import Setting

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
"""That bnnray and its batch script call."""

INFO = "sinfo"
HERE = "bnnray submit needs a login node of a Slurm cluster, or its `module load slurm`"


def check_slurm(setting: Setting) -> Finding:
    """The commands are there; their version."""
    from bnnray.errors import SlurmError
    from bnnray.submit.slurm import ask

    absent = [name for name in COMMANDS if shutil.which(name) is None]
    if len(absent) == len(COMMANDS):
        return _absent(setting)
    if absent:
        return failure(f"not on the PATH: {', '.join(absent)}", HERE)
    try:
        version = ask(["sbatch", "--version"]).strip()
    except SlurmError as error:
        return _silent(setting, error, HERE)
    return ok(f"{version}, inside job {setting.job}" if setting.job else version)


def check_partition(setting: Setting) -> Finding:
    """Slurm answers, and has a partition for a job of this site."""
    from bnnray.errors import SlurmError
    from bnnray.submit.slurm import ask

    if shutil.which(INFO) is None:
        return note(f"not known: no {INFO} on the PATH")
    try:
        said = ask([INFO, "-h", "-o", "%P|%a"])
    except SlurmError as error:
        return _silent(setting, error, "try again later, or ask the cluster's people")
    return judge(dict(line.split("|") for line in said.splitlines()), setting.partition)


def judge(states: Mapping[str, str], wanted: str | None) -> Finding:
    """What to say about the partitions of a cluster.

    Args:
        states: "up" or another word of Slurm's by the partition's name, which ends with "*"
            where it is the default.
        wanted: the site's, or several with commas; None for the default.
    """
    by_name = {name.rstrip("*"): state for name, state in states.items()}
    default = next((name.rstrip("*") for name in states if name.endswith("*")), None)
    known = ", ".join(states) or "none"
    if wanted is None and default is None:
        return warning(f"no default; there are: {known}", "name one: partition in the site profile")
    names = (wanted or str(default)).split(",")
    unknown = [name for name in names if name not in by_name]
    if unknown:
        said = f"no {', '.join(unknown)}; there are: {known}"
        return failure(said, "change partition in the site profile")
    waits = [f"{name} is {by_name[name]}" for name in names if by_name[name] != "up"]
    if waits:
        return warning(f"{', '.join(waits)}; there are: {known}", "jobs there will wait")
    return ok(f"{', '.join(names)}, of {len(states)}")


def _absent(setting: Setting) -> Finding:
    said = "not here: no commands of Slurm on the PATH"
    return failure(said, HERE) if setting.wants_slurm else note(said)


def _silent(setting: Setting, error: Exception, hint: str) -> Finding:
    said = str(error).splitlines()[-1]
    return (failure if setting.wants_slurm else warning)(said, hint)
