"""``bnnray submit`` and what follows it, as a user types them; Slurm's answers are written here.

The real Slurm is in tests/lab.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cli import JOB

from bnnray.cli.main import main
from bnnray.submit import follow, slurm

RUNNING = "echo 'RUNNING|None|n[1-3]|1:02|10:00|2026-01-02T03:04:05'"
PENDING = "echo 'PENDING|Resources||0:00|10:00|N/A'"
UNKNOWN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
AWAY = "echo 'error: Unable to contact slurm controller' >&2; exit 1"


class Slurm:
    """Commands of Slurm on the PATH that say what they are told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.says("sbatch", "echo 41")
        self.says("squeue", UNKNOWN)
        self.says("scancel", "")

    def says(self, command: str, script: str) -> None:
        path = self.folder / command
        path.write_text(f'#!/bin/sh\necho "$@" >> "$0.asked"\n{script}\n')
        path.chmod(0o755)

    def asked(self, command: str) -> list[str]:
        path = self.folder / f"{command}.asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def slurm_says(tmp_path, monkeypatch) -> Slurm:
    found = Slurm(tmp_path / "slurm-commands")
    monkeypatch.setenv("PATH", str(found.folder), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return found


@pytest.fixture
def place(tmp_path) -> Path:
    folder = tmp_path / "it's a place"
    folder.mkdir()
    (folder / "small.toml").write_text(JOB)
    return folder


@pytest.fixture
def bnnray(monkeypatch, capsys) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in this process, as starting one for each of these commands takes long."""

    def run(*arguments: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["bnnray", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def test_a_dry_run_prints_the_script_and_leaves_nothing(bnnray, place, slurm_says):
    done = bnnray("submit", "small.toml", "--nodes", "2", "--dry-run", folder=place)
    assert done.stdout.startswith("#!/bin/bash\n")
    assert "#SBATCH --nodes=2\n" in done.stdout
    assert "small: 4 units on 2 nodes, 8 slots" in done.stderr
    assert [p.name for p in place.iterdir()] == ["small.toml"]
    assert slurm_says.asked("sbatch") == []
    checked = subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False)
    assert checked.returncode == 0


def test_a_job_is_submitted_as_it_was_checked(bnnray, place, slurm_says):
    arguments = ["--set", "data.points=1", "--set", "site.cores=2", "--", "--nice=7"]
    done = bnnray("submit", "small.toml", *arguments, folder=place)
    folder = place / "runs" / "small" / "slurm"
    assert "submitted: Slurm job 41" in done.stdout
    assert "bnnray logs small -f" in done.stdout
    assert slurm_says.asked("sbatch") == [f"--parsable {folder / 'batch.sh'}"]
    assert tomllib.loads((folder / "job.toml").read_text())["data"]["points"] == 1
    script = (folder / "batch.sh").read_text()
    assert "#SBATCH --cpus-per-task=2\n" in script
    assert "#SBATCH --nice=7\n" in script
    status = bnnray("status", "small", folder=place).stdout
    assert "no units listed yet" in status


def test_json_says_the_plan_and_the_job(bnnray, place, slurm_says):
    slurm_says.says("sbatch", "echo '41;cluster'")
    found = json.loads(bnnray("submit", "small.toml", "--json", folder=place).stdout)
    assert (found["slurm_job"], found["plan"]["units"]) == ("41", 4)
    assert found["folder"] == str(place / "runs" / "small")


def test_a_site_s_licences_are_in_the_plan_and_go_to_the_driver(bnnray, place, slurm_says):
    arguments = ["--set", "site.gurobi_tokens=2", "--set", "attack.milp.backend=auto"]
    done = bnnray("submit", "small.toml", "--dry-run", *arguments, folder=place)
    assert "2 of the units may need a licence of Gurobi: 2 at a time" in done.stderr
    assert "--set resources.gurobi_tokens=2 " in done.stdout
    found = json.loads(bnnray("submit", "small.toml", "--json", *arguments, folder=place).stdout)
    assert (found["plan"]["licensed_units"], found["plan"]["tokens"]) == (2, 2)


@pytest.mark.parametrize("said", [RUNNING, PENDING])
def test_a_folder_with_a_job_is_refused_with_its_number(bnnray, place, slurm_says, said):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", said)
    done = bnnray("submit", "small.toml", folder=place, code=2)
    assert "has a Slurm job already, 41 (" in done.stderr
    assert "bnnray cancel small" in done.stderr
    assert len(slurm_says.asked("sbatch")) == 1


def test_after_the_job_s_end_the_same_command_submits_again(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", "echo 'TIMEOUT|None|n1|1:02|10:00|N/A'")
    slurm_says.says("sbatch", "echo 42")
    assert "Slurm job 42" in bnnray("submit", "small.toml", folder=place).stdout


def test_an_unknown_answer_is_no_reason_to_submit_twice(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", AWAY)
    done = bnnray("submit", "small.toml", folder=place, code=3)
    assert done.stderr == "bnnray: squeue refused: error: Unable to contact slurm controller\n"
    assert len(slurm_says.asked("sbatch")) == 1


def test_what_sbatch_says_is_shown_whole(bnnray, place, slurm_says):
    slurm_says.says("sbatch", "printf 'sbatch: error: one\\nsbatch: error: two\\n' >&2; exit 1")
    done = bnnray("submit", "small.toml", folder=place, code=3)
    assert done.stderr == "bnnray: sbatch refused: sbatch: error: one\nsbatch: error: two\n"


def test_without_slurm_it_is_one_line(bnnray, place, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    done = bnnray("submit", "small.toml", folder=place, code=3)
    assert "cannot run sbatch (No such file or directory); is this a login node" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "data.points=9999"], "data.points: digits test has"),
        (["--set", "model.net.hiden=[3]"], "did you mean 'hidden'?"),
        (["--time", "1"], "leaves no time to work"),
        (["--site", "nowhere"], "unknown site 'nowhere'"),
        (["--set", "site.cors=1"], "did you mean 'cores'?"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_submitted(
    bnnray, place, slurm_says, arguments, message
):
    done = bnnray("submit", "small.toml", *arguments, folder=place, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert slurm_says.asked("sbatch") == []
    assert not (place / "runs").exists()


def test_status_says_what_slurm_says(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", RUNNING)
    text = bnnray("status", "small", folder=place).stdout
    assert "Slurm job 41: RUNNING on n[1-3], 1:02 of 10:00" in text
    slurm_says.says("squeue", PENDING)
    found = json.loads(bnnray("status", "small", "--json", folder=place).stdout)
    assert (found["slurm"]["state"], found["slurm"]["reason"]) == ("PENDING", "Resources")
    slurm_says.says("squeue", AWAY)
    assert json.loads(bnnray("status", "small", "--json", folder=place).stdout)["slurm"] is None


def test_a_slurm_that_hangs_does_not_hold_up_status(bnnray, place, slurm_says, monkeypatch):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", "exec sleep 60")
    monkeypatch.setattr(slurm, "ASK_SECONDS", 0.2)
    assert follow.slurm_state(place / "runs" / "small") is None


@pytest.mark.parametrize(
    ("state", "arguments", "asked", "said"),
    [
        (RUNNING, [], "--batch --signal=USR2 41", "Slurm job 41 drains: it ends after the units"),
        (RUNNING, ["--now"], "41", "Slurm job 41 is cancelled"),
        (PENDING, [], "41", "Slurm job 41 is cancelled"),
    ],
)
def test_cancel_drains_what_runs(bnnray, place, slurm_says, state, arguments, asked, said):
    bnnray("submit", "small.toml", folder=place)
    slurm_says.says("squeue", state)
    assert said in bnnray("cancel", "small", *arguments, folder=place).stdout
    assert slurm_says.asked("scancel") == [asked]


def test_cancel_of_what_has_ended_is_one_line(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", folder=place)
    done = bnnray("cancel", "small", folder=place, code=2)
    assert done.stderr == "bnnray: runs/small: its Slurm job 41 has ended already\n"


def test_logs_are_those_of_the_latest_job(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", folder=place)
    done = bnnray("logs", "small", folder=place, code=2)
    assert "Slurm job 41 writes it once it runs" in done.stderr
    log = place / "runs" / "small" / "slurm" / "slurm-41.out"
    log.write_text("hello\n")
    assert bnnray("logs", "small", folder=place).stdout == "hello\n"
    assert bnnray("logs", "small", "-f", folder=place).stdout == "hello\n"


def test_the_dashboard_s_tunnel_and_token(bnnray, place, slurm_says):
    bnnray("submit", "small.toml", "--set", "site.login_host=login7", folder=place)
    done = bnnray("dashboard", "small", folder=place, code=2)
    assert "is not up: it is while the job runs" in done.stderr
    folder = place / "runs" / "small" / "slurm"
    (folder / "41.dashboard").write_text("10.0.0.3 20411\n")
    (folder / "41.token").write_text("abc")
    lines = bnnray("dashboard", "small", folder=place).stdout.splitlines()
    assert "ssh -N -L 8265:10.0.0.3:20411 " in lines[0]
    assert lines[0].endswith("@login7")
    assert lines[-1] == "abc"


@pytest.mark.parametrize(("code", "message"), [(0, ""), (1, "it ended with exit code 1")])
def test_wait_ends_with_the_driver_s_exit_code(bnnray, place, slurm_says, code, message):
    exits = place / "runs" / "small" / "slurm" / "41.exit"
    slurm_says.says("sbatch", f'echo {code} > "{exits}"; echo 41')
    done = bnnray("submit", "small.toml", "--wait", folder=place, code=code)
    assert message in done.stderr


def test_wait_for_a_job_that_was_killed_is_resumable(bnnray, place, slurm_says):
    done = bnnray("submit", "small.toml", "--wait", folder=place, code=75)
    assert "Slurm job 41 ended before its driver (gone); the same command goes on" in done.stderr


def test_a_run_that_was_never_submitted_is_one_line(bnnray, place, slurm_says):
    (place / "runs" / "small").mkdir(parents=True)
    (place / "runs" / "small" / "run.json").write_text('{"job": "small"}')
    for command in (["logs", "--nodes"], ["cancel"], ["dashboard"]):
        done = bnnray(*command, "small", folder=place, code=2)
        assert done.stderr.endswith("has no Slurm job: it was never submitted by bnnray submit\n")
    done = bnnray("logs", "small", folder=place, code=2)
    assert done.stderr == (
        "bnnray: runs/small/logs has no events: a run logs them from its start on\n"
    )


def test_init_copies_and_never_writes_over_a_file(bnnray, place):
    (place / "cluster").mkdir()
    (place / "cluster" / "generic.toml").write_text("cores = 1\n")
    out = bnnray("init", folder=place).stdout
    assert "cluster/generic.toml is there already, and stays\n" in out
    assert (place / "cluster" / "generic.toml").read_text() == "cores = 1\n"
    assert (place / "jobs" / "quickstart.toml").is_file()
    assert (place / "slurm" / "batch.sh").is_file()
    assert (place / "cluster" / "grafana.json").is_file()
    dry = bnnray("submit", "small.toml", "--dry-run", folder=place).stdout
    assert "#SBATCH --cpus-per-task=1\n" in dry
