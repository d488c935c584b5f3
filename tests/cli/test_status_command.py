"""``bnnray status`` as a user meets it: during a run, after it, on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_cli import JOB, bnnray

COMMAND = [sys.executable, "-W", "error", "-m", "bnnray.cli.main"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a run that is done, and one that listed its units and stopped."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "small.toml").write_text(JOB)
    bnnray("run", "small.toml", "--local", folder=folder)
    stopped = folder / "runs" / "stopped"
    stopped.mkdir()
    for name in ("units.parquet", "run.json"):
        (stopped / name).write_bytes((folder / "runs" / "small" / name).read_bytes())
    return folder


def test_a_run_that_is_done(place):
    lines = bnnray("status", "small", folder=place).stdout.splitlines()
    assert lines[:3] == ["small  done", "4 of 4 units done, 0 left, 0 failed", ""]
    assert lines[3].split()[:6] == ["attack", "done", "%", "flips", "proofs", "failed"]
    cells = [line.split() for line in lines[4:6]]
    assert [[name, done, share] for name, _, done, share, *_ in cells] == [
        ["pgd", "2/2", "100"],
        ["milp", "2/2", "100"],
    ]
    found = json.loads(bnnray("status", "runs/small", "--json", folder=place).stdout)
    assert (found["run"], found["state"], found["done"]) == ("small", "done", 4)


def test_watching_ends_when_everything_is_done(place):
    out = bnnray("status", "small", "--watch", folder=place).stdout
    assert out == "small: done; 4 of 4 units done, 0 left, 0 failed\n"
    (line,) = bnnray("status", "small", "--watch", "--json", folder=place).stdout.splitlines()
    assert json.loads(line)["state"] == "done"


def test_watching_ends_when_everything_is_done_and_the_driver_is_silent(place):
    lease = place / "runs" / "small" / "lease.json"
    lease.write_text("{")
    minutes_ago = time.time() - 100
    os.utime(lease, (minutes_ago, minutes_ago))
    try:
        out = bnnray("status", "small", "--watch", folder=place).stdout
    finally:
        lease.unlink()
    assert "it may be dead" in out
    assert "4 of 4 units done, 0 left, 0 failed" in out


def test_damaged_units_are_one_warning(place):
    torn = place / "runs" / "torn"
    torn.mkdir()
    (torn / "run.json").write_text('{"job": "torn"}')
    (torn / "units.parquet").write_bytes(b"")
    done = bnnray("status", "torn", folder=place)
    assert "no units listed yet" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("bnnray: warning: runs/torn/units.parquet (empty): left out")


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_a_stopped_run_goes_on_until_ctrl_c(place, terminal):
    reader, writer = pty.openpty() if terminal else os.pipe()
    command = [*COMMAND, "status", "stopped", "--watch", "--interval", "0.3"]
    process = subprocess.Popen(command, cwd=place, stdout=writer, stderr=subprocess.PIPE)
    text = ""
    while text.count("nobody runs it") < 2:
        text += os.read(reader, 4096).decode()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    os.close(reader)
    os.close(writer)
    assert (process.returncode, err) == (130, b"")
    assert "0 of 4 units done, 4 left, 0 failed" in text
    assert ("attack" in text) == terminal


def test_a_missing_run_is_one_line(place):
    done = bnnray("status", "nothing", folder=place, code=2)
    assert done.stderr.startswith("bnnray: no run 'nothing' in runs")
    assert len(done.stderr.splitlines()) == 1


def test_during_a_run_and_after_its_death(tmp_path):
    text = JOB.replace("epochs = 1", "epochs = 100000")
    (tmp_path / "small.toml").write_text(text)
    process = subprocess.Popen(
        [*COMMAND, "run", "small.toml", "--local"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 240
        while not (tmp_path / "runs" / "small" / "run.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        name, listed, _, driver = bnnray("status", "small", folder=tmp_path).stdout.splitlines()
        assert name == "small  running"
        assert listed == "no units listed yet: networks are trained first"
        assert driver.startswith(f"run by process {process.pid} on ")
        assert "last sign of life" in driver
    finally:
        process.kill()
        process.wait()
    name, _, driver = bnnray("status", "small", folder=tmp_path).stdout.splitlines()
    assert name == "small  died"
    assert driver.endswith("died; the same bnnray run goes on")
