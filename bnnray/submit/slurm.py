"""Slurm's client commands: each with a time limit, as they hang where Slurm is away."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnnray.errors import SlurmError
from bnnray.runtime.slurm_jobs import OVER

ASK_SECONDS = 5.0
SUBMIT_SECONDS = 60.0
"""A controller with much to do takes its time to accept a job."""

FIELDS = ("state", "reason", "nodes", "elapsed", "time_limit", "start")
FORMAT = "%T|%r|%N|%M|%l|%S"


@dataclass(frozen=True)
class SlurmJob:
    """What squeue says about a job that Slurm still knows.

    Args:
        job: its number.
        state: Slurm's word, such as PENDING.
        reason: why it waits; "None" else.
        nodes: on which it runs, as Slurm lists them.
        elapsed, time_limit: as Slurm writes them.
        start: when it began, or is expected to; "N/A" where that is unknown.
    """

    job: str
    state: str
    reason: str
    nodes: str
    elapsed: str
    time_limit: str
    start: str

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self.state in OVER

    def __str__(self) -> str:
        if self.state == "PENDING":
            when = "" if self.start == "N/A" else f", expected to start at {self.start}"
            return f"Slurm job {self.job}: PENDING ({self.reason}){when}"
        where = f" on {self.nodes}" if self.nodes else ""
        return f"Slurm job {self.job}: {self.state}{where}, {self.elapsed} of {self.time_limit}"

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return asdict(self)


def find_job(job: str) -> SlurmJob | None:
    """What Slurm knows about a job; None where it knows none of that number.

    Raises:
        SlurmError: Slurm does not answer.
    """
    done = _run(["squeue", "-h", "-j", job, "-o", FORMAT], ASK_SECONDS)
    if done.returncode and "invalid job id" in done.stderr.lower():
        return None
    lines = _checked(done).splitlines()
    return SlurmJob(job, *lines[0].split("|")) if lines else None


def submit_script(script: Path) -> str:
    """Submits a batch script; the number of its job.

    Raises:
        SlurmError: with all that sbatch says.
    """
    answer = _checked(_run(["sbatch", "--parsable", str(script)], SUBMIT_SECONDS))
    return answer.strip().split(";")[0]


def signal_batch(job: str, signal: str) -> None:
    """Sends a signal to the batch script of a job, and to nothing else.

    Raises:
        SlurmError: it cannot be sent.
    """
    _checked(_run(["scancel", "--batch", f"--signal={signal}", job], ASK_SECONDS))


def end_job(job: str) -> None:
    """Ends a job at once.

    Raises:
        SlurmError: it cannot be ended.
    """
    _checked(_run(["scancel", job], ASK_SECONDS))


def ask(command: Sequence[str]) -> str:
    """What a command of Slurm's prints that only asks.

    Raises:
        SlurmError: Slurm does not answer, or refuses.
    """
    return _checked(_run(command, ASK_SECONDS))


def _run(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} gave no answer for {seconds:g} s; is Slurm up?") from None
    except OSError as error:
        raise SlurmError(
            f"cannot run {command[0]} ({error.strerror}); is this a login node of a Slurm cluster?"
        ) from None


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise SlurmError(f"{done.args[0]} refused: {said}")
    return done.stdout
