"""What a run logs: on Ray with a slot that dies, here, and where nothing can be logged."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bnnray.job import load_job
from bnnray.logs import read_events
from bnnray.runtime import RunOptions, run_job

JOB = """
name = "small"
[data]
dataset = "digits"
points = 1
[[model]]
name = "net"
hidden = [10]
train = { epochs = 1 }
[threat]
epsilon = ["1/16"]
domain = "grid"
[[attack]]
kind = "pgd"
"""
LONG = JOB + 'repeat = true\ntime_limit = "6s"\n'
NURSE = "bnnray.processes.nurse"
COMMAND = [sys.executable, "-m", "bnnray.cli.main"]


class Quiet:
    """Listens and says nothing."""

    def __getattr__(self, _name: str):
        return lambda *_: None


def slots(driver: int) -> list[psutil.Process]:
    """What nurseries of a run have forked, the oldest first."""
    offspring = psutil.Process(driver).children(recursive=True)
    nurses = {p.pid for p in offspring if is_nurse(p)}
    forked = [p for p in offspring if is_child_of(p, nurses)]
    older = {p.pid for p in forked}
    return sorted((p for p in forked if not is_child_of(p, older)), key=lambda p: p.pid)


def is_nurse(process: psutil.Process) -> bool:
    try:
        return NURSE in process.cmdline()
    except psutil.Error:
        return False


def is_child_of(process: psutil.Process, parents: set[int]) -> bool:
    try:
        return process.ppid() in parents
    except psutil.Error:
        return False


def wait_for_unit(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not any(e.name == "units_began" for e in read_events(folder)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_crash_of_a_slot_is_found_under_its_unit(tmp_path):
    (tmp_path / "small.toml").write_text(LONG)
    logs = tmp_path / "runs" / "small" / "logs"
    process = subprocess.Popen(
        [*COMMAND, "run", "small.toml", "--log-level", "debug"],
        cwd=tmp_path,
        env={**os.environ, "BNNRAY_LOG_FORMAT": "json"},
        text=True,
        stderr=subprocess.PIPE,
    )
    wait_for_unit(logs, process)
    slots(process.pid)[0].send_signal(signal.SIGSEGV)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    host = platform.node()
    assert {p.name for p in logs.iterdir()} == {f"{host}-driver.log", f"{host}-keeper.log"}
    for line in [line for path in logs.iterdir() for line in path.read_text().splitlines()]:
        assert {"time", "level", "host", "event"} <= set(json.loads(line))
    (died,) = [e for e in read_events(logs) if e.name == "slot_died"]
    (retried,) = [e for e in read_events(logs) if e.name == "unit_retried"]
    assert died.fields["key"] == retried.fields["key"]
    assert died.fields["reason"] == "the slot's process was ended by SIGSEGV"
    shown = subprocess.run(
        [*COMMAND, "show", "small", died.fields["key"][:8]],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert "      Fatal Python error: Segmentation fault\n" in shown
    assert "in serve\n" in shown
    names = [w for w in shown.split() if w.startswith("event=") and "handed_out" not in w]
    assert names == [
        "event=units_began", "event=slot_died", "event=unit_retried", "event=units_began",
        "event=unit_ended",
    ]  # fmt: skip


def run_here(folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(JOB)
    options = RunOptions(folder / "runs", local=True)
    result = run_job(load_job(path).job, options, Quiet())
    assert (result.left, result.failed) == (0, 0)
    return folder / "runs" / "small" / "logs"


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> Path:
    return run_here(tmp_path_factory.mktemp("logged"))


def test_a_run_without_faults_logs_a_few_lines_whatever_its_size(logged):
    assert [e.name for e in read_events(logged)] == [
        "session_began", "network_trained", "units_listed", "keeper_began", "session_ended",
    ]  # fmt: skip


def test_a_run_that_cannot_log_is_not_disturbed(logged, tmp_path, capsys):
    folder = tmp_path / "runs" / "small"
    (folder / "models").mkdir(parents=True)
    for model in (logged.parent / "models").iterdir():
        (folder / "models" / model.name).write_bytes(model.read_bytes())
    (folder / "run.json").write_text('{"job": "small"}')
    (folder / "logs").write_text("not a folder")
    run_here(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("-driver.log: Not a directory; the run goes on")
