"""Runs that are interrupted: at any moment one line, and the same command goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil
import pytest
from small_run import Listener
from started_run import PATIENT, wait_for

from bnnray.errors import Interrupted
from bnnray.runtime import RunOptions, run, run_job


@pytest.mark.parametrize("how", ["--local", "--grace=5"])
def test_ctrl_c_drains_and_the_same_command_finishes(how, start, tmp_path):
    slow = ["--set", "data.points=12", "--set", "model.net.hidden=[60, 60]"]
    slow += ["--set", "attack.milp.time_limit=3s"]
    process = start(how, *slow)
    results = tmp_path / "runs" / "digits" / "results"
    wait_for(lambda: any(results.glob("part-*")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 75, err
    assert "units left; the same command does them" in err
    assert "Traceback" not in err
    assert "median s" in out
    process = start("--local", *slow, "--set", "attack.milp.time_limit=0.1")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "units are done already" in err


@pytest.mark.parametrize("how", [["--local"], []], ids=["local", "ray"])
def test_a_drain_ends_a_long_search_after_the_grace(how, start):
    process = start(*how, *PATIENT, "--grace=0.5")
    wait_for(lambda: searching(process.pid), process)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 75, err


@pytest.mark.parametrize("how", [["--local"], []], ids=["local", "ray"])
def test_ctrl_c_twice_ends_at_once(how, start):
    process = start(*how, *PATIENT, "--grace=3600")
    wait_for(lambda: searching(process.pid), process)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("how", "number"),
    [("--local", signal.SIGUSR1), ("--grace=5", signal.SIGINT)],
)
def test_a_signal_while_training_is_one_line_and_resumable(how, number, start, tmp_path):
    process = start(how, "--set", "model.net.train.epochs=100000")
    run = tmp_path / "runs" / "digits" / "run.json"
    wait_for(run.exists, process)
    time.sleep(4)
    process.send_signal(number)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 75, err
    assert err.splitlines()[-1].startswith("bnnray: interrupted while a network was trained")
    assert not (tmp_path / "runs" / "digits" / "models").exists()


MOMENTS = ["prepare", "hold_lease", "_make_cluster", "make_units"]


def signals_before(monkeypatch, moment: str, numbers: list[int]) -> None:
    """Has this process get signals when a run comes to a step of it."""
    step = getattr(run, moment)

    def signalled(*arguments):
        monkeypatch.setattr(run, moment, step)
        for number in numbers:
            os.kill(os.getpid(), number)
        return step(*arguments)

    monkeypatch.setattr(run, moment, signalled)


@pytest.mark.parametrize(
    ("moment", "number"),
    [*((moment, signal.SIGINT) for moment in MOMENTS), (MOMENTS[1], signal.SIGUSR1)],
)
def test_a_signal_before_anything_runs_leaves_nothing_half_done(
    job, tmp_path, monkeypatch, moment, number
):
    listener, options = Listener(), RunOptions(tmp_path / "runs", local=True)
    small = job("data.points=1", "attack.milp.time_limit=0.01")
    signals_before(monkeypatch, moment, [number])
    with pytest.raises(Interrupted, match="interrupted before anything was attacked"):
        run_job(small, options, listener)
    assert listener.records == []
    assert listener.epochs == (4 if moment == "make_units" else 0)
    assert not list(tmp_path.rglob("lease.json"))
    assert (tmp_path / "runs").exists() == (moment not in MOMENTS[:1])
    assert run_job(small, options, Listener()).left == 0


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_twice_before_anything_runs_ends_at_once(job, tmp_path, monkeypatch, moment):
    listener = Listener()
    before = signal.getsignal(signal.SIGINT)
    signals_before(monkeypatch, moment, [signal.SIGINT, signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        run_job(job("data.points=1"), RunOptions(tmp_path / "runs", local=True), listener)
    assert listener.records == []
    assert signal.getsignal(signal.SIGINT) is before
    assert not list(tmp_path.rglob("lease.json"))


def test_a_signal_while_ray_starts_is_one_line_and_resumable(start, tmp_path):
    process = start()
    wait_for((tmp_path / "runs" / "digits" / "lease.json").exists, process)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 75, err
    assert err.splitlines()[-1].startswith("bnnray: interrupted ")
    assert not (tmp_path / "runs" / "digits" / "lease.json").exists()


def searching(driver: int) -> bool:
    """Whether a slot's process runs: the offspring of a nursery."""
    for process in psutil.Process(driver).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "bnnray.processes.nurse" in process.cmdline() and process.children():
                return True
    return False
