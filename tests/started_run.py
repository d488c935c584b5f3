"""A run of the small job that a process of its own does, and the wait until it has come so far."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from small_run import JOB

PATIENT = ["--set", "attack.pgd.time_limit=1h", "--set", "data.points=8"]
PATIENT += ["--set", "attack.pgd.iterations=100000000", "--set", "attack.milp.time_limit=0.01"]
"""Overrides with which the job is not over before somebody ends it."""


def start_run(arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    (folder / "job.toml").write_text(JOB)
    command = [sys.executable, "-m", "bnnray.cli.main", "run", "job.toml", *arguments]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 240
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
