"""The cores that this process may use."""

from __future__ import annotations

import math
import os

from bnnray.doctor.control_groups import core_quota
from bnnray.doctor.finding import Finding, note, ok, warning
from bnnray.doctor.setting import Setting


def check_cores(setting: Setting) -> Finding:
    """Cores by affinity and quota, inside a Slurm job against those that it was given."""
    given = os.environ.get("SLURM_CPUS_ON_NODE") if setting.job else None
    seen = len(os.sched_getaffinity(0))
    return judge(seen, os.cpu_count() or seen, core_quota(), int(given) if given else None)


def judge(seen: int, machine: int, quota: float, given: int | None) -> Finding:
    """What to say about cores.

    Args:
        seen: that the process may run on.
        machine: that there are.
        quota: of the control group, in cores; infinite for none.
        given: by Slurm; None outside a job.
    """
    said = f"{seen} of this machine's {machine}"
    usable = min(seen, quota)
    if quota < seen:
        said = f"{said}, with the time of {quota:.3g} (a quota)"
    if given is not None and usable < given:
        hint = "srun --cpus-per-task=N gives a step more; Ray must not count more than these"
        return warning(f"{said}; Slurm gave {given}", hint)
    if quota < seen:
        return warning(said, f"more slots than {max(1, math.floor(quota))} slow each other down")
    if given is not None and usable > given:
        return note(
            f"{said}; Slurm gave {given} and does not hold the job to them",
            "a Ray of your own: --num-cpus; bnnray submit sees to it",
        )
    return ok(said if given is None else f"{said}, as Slurm gave")
