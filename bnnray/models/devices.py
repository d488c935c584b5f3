"""The GPUs that torch sees."""

from __future__ import annotations

import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpus:
    """What torch says about GPUs.

    Args:
        version: of torch.
        build: of CUDA or ROCm that it was built for; empty for a build without.
        names: of the GPUs that can be used.
        complaint: what it said while it looked; empty as a rule.
    """

    version: str
    build: str
    names: tuple[str, ...]
    complaint: str = ""


def visible_gpus() -> Gpus:
    """Asks torch; its first import takes seconds."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = tuple(torch.cuda.get_device_name(number) for number in range(count))
    build = torch.version.cuda or torch.version.hip or ""
    complaint = " ".join(str(said[-1].message).split()) if said else ""
    return Gpus(torch.__version__, build, names, complaint)
