"""All checks, one after the other; whatever happens to one is its finding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from bnnray.doctor.cores import check_cores
from bnnray.doctor.data import NAMES, check_data
from bnnray.doctor.finding import Finding, failure
from bnnray.doctor.folder import (
    check_clock,
    check_file_system,
    check_space,
    check_writing,
)
from bnnray.doctor.gpu import check_gpu
from bnnray.doctor.licence import check_gurobi
from bnnray.doctor.limits import check_files, check_processes
from bnnray.doctor.memory import check_memory
from bnnray.doctor.packages import check_packages, check_python
from bnnray.doctor.ports import check_ports
from bnnray.doctor.setting import Setting
from bnnray.doctor.slurm import check_partition, check_slurm
from bnnray.doctor.temp import check_scratch, check_temp
from bnnray.errors import BnnrayError

Check = Callable[[Setting], Finding]

CHECKS: dict[str, Check] = {
    "python": check_python,
    "packages": check_packages,
    "slurm": check_slurm,
    "partition": check_partition,
    "run folder": check_writing,
    "file system": check_file_system,
    "space": check_space,
    "clock": check_clock,
    "temp dir": check_temp,
    "scratch": check_scratch,
    "ports": check_ports,
    "open files": check_files,
    "processes": check_processes,
    "cores": check_cores,
    "memory": check_memory,
    "gpu": check_gpu,
    "gurobi": check_gurobi,
    **{name: partial(check_data, name) for name in NAMES},
}
"""By the names that a user sees, in the order in which they are made."""

SECONDS = 20.0
LONGER = {"gpu": 60.0, "gurobi": 60.0}
"""Seconds that a check may take; from a cold disk torch alone may need more than all others."""


def examine(setting: Setting) -> Iterator[Finding]:
    """Makes every check; a finding of each as soon as it is there.

    A check that gives no answer, as on a network file system that hangs, is left behind in its
    thread: such a wait cannot be broken off.
    """
    for name, check in CHECKS.items():
        yield replace(_answer(check, setting, LONGER.get(name, SECONDS)), check=name)


def _answer(check: Check, setting: Setting, seconds: float) -> Finding:
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.append(_guarded(check, setting)), daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    return failure(f"no answer within {seconds:g} s", "a file system or server here may hang")


def _guarded(check: Check, setting: Setting) -> Finding:
    try:
        return check(setting)
    except Exception as error:  # on a machine that is not as it should be anything may be raised
        return failure(_described(error), "see to this first, then run bnnray doctor again")


def _described(error: Exception) -> str:
    text = next(iter(str(error).strip().splitlines()), "")
    known = isinstance(error, OSError | BnnrayError)
    return text if known and text else f"{type(error).__name__}: {text}"
