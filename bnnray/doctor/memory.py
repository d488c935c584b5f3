"""The memory that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

from bnnray.doctor.control_groups import memory_limit
from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.places import size
from bnnray.doctor.setting import Setting

INFO = Path("/proc/meminfo")
LEAST, LITTLE = 2**30, 2 * 2**30
"""Ray's processes and those of one slot have somewhat more than the first."""


def check_memory(setting: Setting) -> Finding:
    """Memory by the system and the control group, inside a Slurm job against what it was given."""
    if not INFO.exists():
        return note("this system does not tell (no /proc)")
    found = dict(line.split(":") for line in INFO.read_text().splitlines())
    total, available = (1024 * int(found[f"Mem{word}"].split()[0]) for word in _WORDS)
    return judge(total, available, memory_limit(), _given() if setting.job else None)


_WORDS = ("Total", "Available")


def judge(total: int, available: int, limit: float, given: int | None) -> Finding:
    """What to say about memory; all sizes in bytes.

    Args:
        total: that the machine has.
        available: that nobody uses now.
        limit: of the control group; infinite for none.
        given: by Slurm; None outside a job, or where it does not tell.
    """
    said = f"{size(available)} of {size(total)} available"
    if limit < total:
        said = f"{said}, this control group may have {size(limit)}"
    usable = min(available, limit)
    if usable < LEAST:
        return failure(said, "Ray and one search need more than that; ask for more memory")
    if given is not None and usable < given:
        hint = "the job may be killed before it has that much; ask the cluster's people"
        return warning(f"{said}; Slurm gave {size(given)}", hint)
    if usable < LITTLE:
        return warning(said, "enough for one search or two; set memory_per_solve")
    return ok(said if given is None else f"{said}; Slurm gave {size(given)}")


def _given() -> int | None:
    """Bytes; Slurm counts in MiB and says 0 for all that a node has."""
    megabytes = int(os.environ.get("SLURM_MEM_PER_NODE") or 0)
    if not megabytes:
        each = int(os.environ.get("SLURM_MEM_PER_CPU") or 0)
        megabytes = each * int(os.environ.get("SLURM_CPUS_ON_NODE") or 0)
    return megabytes * 2**20 or None
