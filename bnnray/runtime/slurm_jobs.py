"""What Slurm says about a job."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

ANSWER_SECONDS = 10.0
OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    }
)
"""States that a job does not leave."""


def job_is_gone(job: str, stop: Callable[[], bool]) -> bool:
    """Whether Slurm says that a job is gone; no answer is no.

    Args:
        job: its number.
        stop: asked several times a second; when it says yes, nobody waits for the answer.
    """
    answer = _squeue(job, stop)
    if answer is None:
        return False
    if answer.returncode:
        return "invalid job id" in answer.stderr.lower()
    return set(answer.stdout.split()) <= OVER | {"PENDING"}  # pending is one that is to run again


def _squeue(job: str, stop: Callable[[], bool]) -> subprocess.CompletedProcess[str] | None:
    command = ["squeue", "-h", "-j", job, "-o", "%T"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError:
        return None
    with process:
        deadline = time.monotonic() + ANSWER_SECONDS
        while process.poll() is None:
            if stop() or time.monotonic() >= deadline:
                process.kill()
                return None
            time.sleep(0.05)
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
