"""From a job file to a Slurm job."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from bnnray.errors import RunFolderError
from bnnray.files import write_file
from bnnray.job import Job, load_job
from bnnray.results import RunFolder
from bnnray.results.lease import read_lease
from bnnray.runtime import prepare
from bnnray.submit.plan import Plan, make_plan
from bnnray.submit.record import Submitted, note_submitted, read_submitted
from bnnray.submit.script import TEMPLATE, Submission, batch_script, carried
from bnnray.submit.sites import PREFIX, load_site, read_flags
from bnnray.submit.slurm import find_job, submit_script


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Args:
        job: the job file.
        overrides: "place=value" each, of the job, or of the site where it begins with "site.".
        site: name of the site profile.
        flags: values of the profile that were given by options of their own.
        runs_dir: the run folder is made there.
        data_dir: searched for the data set first.
        options: more options for sbatch.
        resume: the command line that asked.
    """

    job: Path
    overrides: Sequence[str]
    site: str
    flags: Mapping[str, Any]
    runs_dir: Path
    data_dir: Path | None
    options: Sequence[str]
    resume: str


@dataclass(frozen=True)
class Checked:
    """A request in which nothing wrong was found.

    Args:
        job: as it will run.
        plan: what it will take.
        submission: what the batch script is made of.
    """

    job: Job
    plan: Plan
    submission: Submission

    @property
    def script(self) -> str:
        """The batch script."""
        return batch_script(self.submission)


def check(request: Request) -> Checked:
    """Checks job, data, models and site; trains nothing and changes nothing.

    Raises:
        BnnrayError: what is wrong and what to do.
    """
    work = Path.cwd()
    of_job = [text for text in request.overrides if not text.startswith(PREFIX)]
    job = load_job(request.job, of_job).job
    site = load_site(request.site, work, {**read_flags(request.overrides), **request.flags})
    plan = make_plan(job, site)
    prepare(job, request.data_dir)
    submission = Submission(
        name=job.name,
        folder=(work / request.runs_dir / job.name),
        work=work,
        data_dir=None if request.data_dir is None else work / request.data_dir,
        site=site,
        tokens=plan.tokens,
        options=tuple(request.options),
        resume=request.resume,
        environment=carried(),
    )
    return Checked(job, plan, submission)


def submit(checked: Checked) -> Submitted:
    """Hands the job to Slurm.

    Raises:
        RunFolderError: the folder is another job's, or a Slurm job of it is still there.
        SlurmError: Slurm does not answer or refuses.
        StorageError: the folder cannot be written.
    """
    submission, folder = checked.submission, RunFolder(checked.submission.folder)
    script = checked.script
    refuse_while_submitted(folder)
    folder.claim(submission.name)
    if not folder.provenance():
        folder.write_provenance({"job": submission.name})
    _write(submission.job_file, tomli_w.dumps(checked.job.dump()))
    _write(submission.logs / TEMPLATE, script)
    job = submit_script(submission.logs / TEMPLATE)
    login = submission.site.login_host or platform.node()
    return note_submitted(submission.logs, job, login)


def refuse_while_submitted(folder: RunFolder) -> None:
    """Refuses a folder of which a Slurm job waits or runs.

    Raises:
        RunFolderError: with the job's number.
        SlurmError: Slurm does not answer.
    """
    for number in _jobs(folder):
        job = find_job(number)
        if job is not None and not job.over:
            raise RunFolderError(
                f"{folder.path} has a Slurm job already, {job.job} ({job.state}); "
                f"bnnray cancel {folder.path.name} ends it, or wait until it is done"
            )


def _jobs(folder: RunFolder) -> Sequence[str]:
    """The last Slurm job that was submitted, and the one whose driver holds the folder."""
    submitted = [s.job for s in read_submitted(folder.path / "slurm")[-1:]]
    seen = read_lease(folder.path)
    held = [seen.lease.slurm_job] if seen and seen.lease and seen.lease.slurm_job else []
    return list(dict.fromkeys([*submitted, *held]))


def _write(path: Path, text: str) -> None:
    write_file(path, lambda file: file.write(text.encode()))
