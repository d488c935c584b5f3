"""GPUs: those of the machine, those that Slurm gave, and those that torch can use."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bnnray.doctor.finding import Finding, note, ok, warning
from bnnray.doctor.setting import Setting

if TYPE_CHECKING:
    from bnnray.models.devices import Gpus

LOOK = "compare with what nvidia-smi says"


def check_gpu(setting: Setting) -> Finding:
    """What torch sees, against the device files, Slurm and CUDA_VISIBLE_DEVICES."""
    from bnnray.models.devices import visible_gpus

    files = len(list(Path("/dev").glob("nvidia[0-9]*")))
    given = _count(os.environ.get("SLURM_GPUS_ON_NODE", "")) if setting.job else 0
    return judge(visible_gpus(), files, given, os.environ.get("CUDA_VISIBLE_DEVICES"))


def judge(seen: Gpus, files: int, given: int, visible: str | None) -> Finding:
    """What to say about GPUs.

    Args:
        seen: by torch.
        files: how many device files of GPUs there are.
        given: by Slurm.
        visible: CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    said = f"torch {seen.version} sees {_listed(seen.names)}"
    if max(files, given) and not seen.build:
        return warning(
            f"torch {seen.version} is built without CUDA, and there is a GPU here",
            "install a build of torch for this CUDA; see pytorch.org",
        )
    if len(seen.names) < given:
        limited = "" if visible is None else f", CUDA_VISIBLE_DEVICES={visible!r}"
        return warning(f"{said}; Slurm gave {given}{limited}", seen.complaint or LOOK)
    if files and not seen.names:
        if visible is not None and not _count_listed(visible):
            return note(f"{said}: CUDA_VISIBLE_DEVICES hides them all")
        return warning(f"{said} of {files}", seen.complaint or LOOK)
    return ok(said) if seen.names else note(f"{said}: training and PGD run on cores")


def _listed(names: tuple[str, ...]) -> str:
    each = Counter(names).items()
    return ", ".join(f"{count} x {name}" for name, count in each) or "no GPU"


def _count(slurm: str) -> int:
    """Of Slurm's "2", or "a100:2"."""
    last = slurm.rpartition(":")[2]
    return int(last) if last.isdecimal() else 0


def _count_listed(visible: str) -> int:
    return sum(1 for name in visible.split(",") if name.strip() not in ("", "-1"))
