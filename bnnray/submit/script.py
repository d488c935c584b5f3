"""The batch script: a template whose named blanks are filled in, each value quoted."""

from __future__ import annotations

import os
import re
import shlex
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnnray.errors import SiteError, unknown_name
from bnnray.submit.shipped import SHIPPED
from bnnray.submit.sites import Site

TEMPLATE = "batch.sh"
CARRIED = ("BNNRAY_DATA", "GRB_LICENSE_FILE", "NUMBA_CACHE_DIR", "PYTHONPATH", "XDG_CACHE_HOME")
"""Variables of the environment that the job needs as they are, also where a site exports none."""

BLANK = re.compile(r"@\{([a-z_]+)\}")
"""What stands for a value in the template; bash has no such words."""

SHORTEST_GRACE = 5.0

TOKENS = "resources.gurobi_tokens"


@dataclass(frozen=True)
class Submission:
    """A job to submit, all of it as it was checked.

    Args:
        name: of the job.
        folder: its run folder, absolute.
        work: the folder in which paths of the job file begin, absolute.
        data_dir: searched for the data set first, absolute.
        site: where it runs.
        tokens: how many licences of Gurobi it may hold; None without a limit.
        options: for sbatch, after all others.
        resume: the command that goes on with it.
        environment: what of :data:`CARRIED` is set.
    """

    name: str
    folder: Path
    work: Path
    data_dir: Path | None
    site: Site
    tokens: int | None
    options: tuple[str, ...]
    resume: str
    environment: Mapping[str, str]

    @property
    def logs(self) -> Path:
        """Where scripts and logs are kept."""
        return self.folder / "slurm"

    @property
    def job_file(self) -> Path:
        """The job as it was checked."""
        return self.logs / "job.toml"


def batch_script(submission: Submission) -> str:
    """The batch script of a submission.

    Raises:
        SiteError: the project's template has a blank that there is no value for.
    """
    site = submission.site
    blanks = {
        "sbatch": "\n".join(f"#SBATCH {_quoted(o)}" for o in _options(submission)),
        "run_folder": shlex.quote(str(submission.folder)),
        "interface": shlex.quote(site.interface),
        "scratch": shlex.quote(site.scratch),
        "environment": "\n".join(
            f"export {name}={shlex.quote(value)}"
            for name, value in sorted(submission.environment.items())
        ),
        "setup": "\n".join(site.setup),
        "python": shlex.join(_python(submission)),
        "command": shlex.join(_command(submission)),
        "work": shlex.quote(str(submission.work)),
        "requeues": str(site.requeues),
        "resume": shlex.quote(submission.resume),
    }
    path = _template(submission.work)
    template = path.read_text(encoding="utf-8")
    unknown = set(BLANK.findall(template)) - set(blanks)
    if unknown:
        raise SiteError(f"{path}: {unknown_name('blank', min(unknown), blanks)}")
    return BLANK.sub(lambda blank: blanks[blank[1]], template)


def carried() -> dict[str, str]:
    """What of :data:`CARRIED` is set."""
    return {name: os.environ[name] for name in CARRIED if os.environ.get(name)}


def _template(project: Path) -> Path:
    own = project / "slurm" / TEMPLATE
    return own if own.is_file() else SHIPPED / "slurm" / TEMPLATE


def _options(submission: Submission) -> Iterable[str]:
    """All options of sbatch. Where a path is given for the output Slurm reads signs such as % in
    it; the default name, in the job's folder, it leaves alone."""
    site = submission.site
    yield f"--job-name={submission.name}"
    yield f"--chdir={submission.logs}"
    yield from _given("partition", site.partition)
    yield from _given("account", site.account)
    yield from _given("licenses", site.licences)
    yield f"--nodes={site.nodes}"
    yield "--ntasks-per-node=1"
    yield f"--cpus-per-task={site.cores}"
    yield from _given("mem", None if site.memory is None else f"{site.memory // 2**20}M")
    yield from _given("gpus-per-node", site.gpus or None)
    yield f"--time={site.time}"
    yield f"--signal=B:USR1@{site.drain:.0f}"
    yield "--no-kill"
    yield "--requeue" if site.requeue else "--no-requeue"
    yield "--open-mode=append"
    yield from site.options
    yield from submission.options


def _given(name: str, value: object) -> Iterable[str]:
    return [] if value is None else [f"--{name}={value}"]


def _quoted(option: str) -> str:
    """As sbatch reads it: double quotes, and a backslash before what is special in them."""
    if "\n" in option:
        raise SiteError(f"an option of sbatch is one line; got {option!r}")
    if not set(option) - set(string.ascii_letters + string.digits + "-_=.,:/@+[]"):
        return option
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _python(submission: Submission) -> Sequence[str]:
    site = submission.site
    if site.apptainer is None:
        return [site.python or sys.executable]
    inside = ["apptainer", "exec", *site.apptainer_options, site.apptainer]
    return [*inside, site.python or "python3"]


def _command(submission: Submission) -> Sequence[str]:
    site, folder = submission.site, submission.folder
    data = [] if submission.data_dir is None else ["--data-dir", str(submission.data_dir)]
    tokens = [] if submission.tokens is None else ["--set", f"{TOKENS}={submission.tokens}"]
    grace = max(SHORTEST_GRACE, site.drain - 60)  # Slurm may be late, and rows go to the disk
    return [
        *["run", str(submission.job_file), "--runs-dir", str(folder.parent), *data, *tokens],
        *["--grace", f"{grace:g}", "--nodes", str(site.nodes)],
        *["--min-nodes", str(site.min_nodes), "--node-wait", f"{site.node_wait:g}"],
    ]
