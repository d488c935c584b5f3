"""What several files of tests here begin with."""

from __future__ import annotations

import subprocess

import pytest
from small_run import JOB
from started_run import start_run

from bnnray.job import load_job


@pytest.fixture
def job(tmp_path):
    """Reads the small job with overrides."""
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return lambda *overrides: load_job(path, overrides).job


@pytest.fixture
def start(tmp_path):
    """Starts a run of the small job in a process; none is left running."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        started.append(start_run(arguments, tmp_path))
        return started[-1]

    yield begin
    for process in started:
        with process:
            process.kill()
