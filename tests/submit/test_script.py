"""The batch script: whole files as they are meant to be, and values that survive bash."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bnnray.errors import SiteError
from bnnray.submit.script import Submission, batch_script
from bnnray.submit.sites import Site, load_site

GOLDEN = Path(__file__).parents[1] / "golden"
NASTY = 'it\'s a "place" of 100% $HOME `id` \\ & more'

SCRATCH = '/it\'s "a $HOME" `id`'

PLAIN = Submission(
    name="mine",
    folder=Path("/shared/me/runs/mine"),
    work=Path("/shared/me"),
    data_dir=None,
    site=Site(),
    tokens=None,
    options=(),
    resume="bnnray submit jobs/mine.toml",
    environment={},
)


def site(name: str, **flags: object) -> Site:
    return load_site(name, Path("/nowhere"), {"python": "/shared/me/venv/bin/python", **flags})


SUBMISSIONS = {
    "generic": replace(PLAIN, site=site("generic")),
    "example": replace(PLAIN, site=site("example"), data_dir=Path("/shared/data")),
    "apptainer": replace(
        PLAIN,
        site=site(
            "lab",
            python=None,
            apptainer="/shared/bnnray images/bnnray.sif",
            apptainer_options=["--nv", "--bind=/shared"],
            requeue=False,
            gpus=1,
            licences="gurobi:4",
        ),
        tokens=4,
    ),
    "nasty": Submission(
        name="a+b_c.d-e",
        folder=Path("/shared") / NASTY / "a+b_c.d-e",
        work=Path("/shared") / NASTY,
        data_dir=Path("/data") / NASTY,
        tokens=None,
        site=site("generic", account=NASTY, scratch=SCRATCH, interface=NASTY),
        options=(f"--comment={NASTY}", "--nice=100"),
        resume=f"bnnray submit {NASTY}",
        environment={"BNNRAY_DATA": NASTY},
    ),
}


@pytest.fixture(autouse=True)
def _no_site_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_the_script_is_the_golden_file(name):
    script = batch_script(SUBMISSIONS[name])
    path = GOLDEN / f"{name}.sh"
    if os.environ.get("BNNRAY_WRITE_GOLDEN"):
        path.write_text(script)
    assert script == path.read_text()


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_bash_can_read_the_script(name):
    done = subprocess.run(["bash", "-n", GOLDEN / f"{name}.sh"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_values_survive_bash():
    submission = SUBMISSIONS["nasty"]
    head, _, _ = batch_script(submission).partition("START_SECONDS=")
    shown = '\nprintf "%s\\n" "$BNNRAY_RUN" "$WORK" "$BNNRAY_SCRATCH" "$BNNRAY_INTERFACE" "$RESUME"'
    shown += ' "$BNNRAY_DATA" "${COMMAND[@]}"'
    done = subprocess.run(["bash", "-c", head + shown], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[:9] == [
        str(submission.folder),
        str(submission.work),
        SCRATCH,
        NASTY,
        f"bnnray submit {NASTY}",
        NASTY,
        "run",
        str(submission.job_file),
        "--runs-dir",
    ]


def test_a_value_that_looks_like_a_blank_is_left_alone():
    script = batch_script(replace(PLAIN, resume="@{setup}"))
    assert "RESUME='@{setup}'\n" in script


def test_an_option_of_two_lines_is_refused():
    with pytest.raises(SiteError, match="an option of sbatch is one line"):
        batch_script(replace(PLAIN, options=("--comment=a\n#SBATCH --uid=root",)))


def test_a_project_s_own_template_is_used_and_its_blanks_are_checked(tmp_path):
    (tmp_path / "slurm").mkdir()
    own = tmp_path / "slurm" / "batch.sh"
    own.write_text("#!/bin/bash\n@{sbatch}\ncd @{work}\n")
    script = batch_script(replace(PLAIN, work=tmp_path))
    assert script.endswith(f"#SBATCH --open-mode=append\ncd {tmp_path}\n")
    own.write_text("cd @{wrok}")
    with pytest.raises(SiteError, match=r"unknown blank 'wrok'; did you mean 'work'\?"):
        batch_script(replace(PLAIN, work=tmp_path))
