"""Following a Slurm job from the login node: its state, its log, its end, Ray's dashboard."""

from __future__ import annotations

import contextlib
import getpass
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bnnray.errors import Interrupted, RunFolderError, SlurmError
from bnnray.submit.record import Submitted, last_submitted, read_submitted
from bnnray.submit.slurm import SlurmJob, end_job, find_job, signal_batch

POLL_SECONDS = 10.0
TAIL_SECONDS = 0.5
PATIENCE = 30
"""How many times in a row Slurm may give no answer."""

DASHBOARD_PORT = 8265
DRAIN = "USR2"
"""To a batch script: drain, and do not run again."""


def slurm_state(run: Path) -> SlurmJob | None:
    """What Slurm says about the latest job of a run folder; None where it says nothing, or is not
    there, or does not answer within seconds."""
    submitted = read_submitted(run / "slurm")
    try:
        return find_job(submitted[-1].job) if submitted else None
    except SlurmError:
        return None


def cancel(run: Path, now: bool) -> tuple[SlurmJob, bool]:
    """Ends the latest Slurm job of a run folder.

    Args:
        run: the folder.
        now: at once, not after the units that run.

    Returns:
        The job as it was, and whether it drains.

    Raises:
        RunFolderError: it has none that waits or runs.
        SlurmError: Slurm does not answer or refuses.
    """
    submitted = last_submitted(run)
    job = find_job(submitted.job)
    if job is None or job.over:
        raise RunFolderError(f"{run}: its Slurm job {submitted.job} has ended already")
    drains = job.state == "RUNNING" and not now
    if drains:
        signal_batch(job.job, DRAIN)
    else:
        end_job(job.job)
    return job, drains


def tunnel(submitted: Submitted) -> str:
    """The command that brings Ray's dashboard to port 8265 of a user's own machine.

    Raises:
        RunFolderError: it is not up.
    """
    place = submitted.dashboard
    if place is None:
        raise RunFolderError(
            f"Ray's dashboard of Slurm job {submitted.job} is not up: it is while the job runs"
        )
    host, port = place
    login = f"{getpass.getuser()}@{submitted.login_host}"
    return f"ssh -N -L {DASHBOARD_PORT}:{host}:{port} {login}"


def read_log(submitted: Submitted, path: Path) -> str:
    """One of a job's logs as it is now.

    Raises:
        RunFolderError: it is not there, as before the job starts.
    """
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise RunFolderError(
            f"no log {path} ({error.strerror}); Slurm job {submitted.job} writes it once it runs"
        ) from None


def follow_log(submitted: Submitted, path: Path) -> Iterator[str]:
    """One of a job's logs as it grows, until Slurm says that the job is over; what is there comes
    at once."""
    asked, position, over = -math.inf, 0, False
    while True:
        text, position = _read_from(path, position)
        if text:
            yield text
        elif over:
            return
        time.sleep(0 if over else TAIL_SECONDS)
        if not over and time.monotonic() - asked >= POLL_SECONDS:
            asked, over = time.monotonic(), _is_known_to_be_over(submitted.job)


def wait_for_end(submitted: Submitted, tell: Callable[[SlurmJob], None]) -> int:
    """Waits until a job has ended for good; the exit code of its driver.

    Args:
        submitted: the job.
        tell: called at each look with what Slurm says.

    Raises:
        Interrupted: it was ended before its driver was.
        SlurmError: Slurm did not answer many times over.
    """
    state = ""
    while True:
        job = _ask_patiently(submitted.job)
        if job is not None:
            tell(job)
            state = job.state
        if _is_over(job):
            return _exit_code(submitted, state)
        time.sleep(POLL_SECONDS if state == "RUNNING" else POLL_SECONDS / 5)


def _ask_patiently(job: str) -> SlurmJob | None:
    for _ in range(PATIENCE - 1):
        with contextlib.suppress(SlurmError):
            return find_job(job)
        time.sleep(POLL_SECONDS)
    return find_job(job)


def _exit_code(submitted: Submitted, state: str) -> int:
    code = submitted.exit_code
    if code is None:
        raise Interrupted(
            f"Slurm job {submitted.job} ended before its driver ({state or 'gone'}); the same "
            f"command goes on; see {submitted.log}"
        )
    return code


def _is_known_to_be_over(job: str) -> bool:
    try:
        return _is_over(find_job(job))
    except SlurmError:
        return False


def _is_over(job: SlurmJob | None) -> bool:
    return job is None or job.over


def _read_from(path: Path, position: int) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            file.seek(position)
            content = file.read()
            return content.decode(errors="replace"), file.tell()
    except FileNotFoundError:
        return "", position
