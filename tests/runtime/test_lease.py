"""One driver a run folder: real processes that hold, die, stand still and race."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from started_run import PATIENT, wait_for

from bnnray.errors import Interrupted, RunFolderError, SetupError, StorageError
from bnnray.results import MemorySink, Record
from bnnray.results.lease import (
    LEASE,
    Lease,
    boot_id,
    is_dead,
    parse_lease,
    pid_namespace,
    read_lease,
)
from bnnray.runtime.lease import LeasedSink, hold_lease, refuse_if_in_use
from bnnray.runtime.lease_file import create, remove
from bnnray.runtime.lease_times import LeaseTimes

TIMES = LeaseTimes(renew=0.3, stale=2.0)

HOLDER = """
import sys, time
from pathlib import Path
from bnnray.errors import BnnrayError
from bnnray.runtime.lease import hold_lease
from bnnray.runtime.lease_times import LeaseTimes

def say(text):
    print(text, flush=True)

times = LeaseTimes(float(sys.argv[1]), float(sys.argv[2]))
say("ready")
for line in sys.stdin:
    folder = Path(line.strip())
    try:
        with hold_lease(folder, lambda text: say("note " + text), times) as lease:
            say("held")
            while not (folder / "end").exists():
                time.sleep(0.02)
                lease.check()
        say("released")
    except BnnrayError as error:
        say(f"{type(error).__name__} {error.exit_code} {error}")
"""


class Holder:
    """A process that holds leases, each until the run folder has a file named end."""

    def __init__(self, times: LeaseTimes = TIMES) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "SLURM_JOB_ID"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(times.renew), str(times.stale)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.line() == "ready"

    def take(self, folder: Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """What it says next, notes left out."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        return self.line() if line.startswith("note") else line

    def stop(self) -> None:
        self.process.kill()
        with self.process:
            pass


@pytest.fixture
def holder(tmp_path):
    held = Holder()
    held.take(tmp_path)
    assert held.line() == "held"
    yield held
    held.stop()


def somewhere_else(**changes) -> Lease:
    """A lease from another machine, of which nothing but its counter can be known here."""
    lease = Lease(
        token="theirs",
        host="n7",
        boot_id="other",
        pid=17,
        process_start="1",
        pid_namespace="1",
        slurm_job="",
        counter=3,
        taken_at="2026-01-01T00:00:00+00:00",
    )
    return replace(lease, **changes)


def leave(folder: Path, lease: Lease) -> None:
    (folder / LEASE).write_bytes(lease.encode())


def slurm(folder: Path, monkeypatch, script: str) -> None:
    """Puts a squeue on the path."""
    folder.mkdir()
    (folder / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_free_folder_is_taken_rewritten_and_given_back(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "88")
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, TIMES) as held:
        first = read_lease(tmp_path)
        assert first is not None
        assert first.lease is not None
        assert (first.lease.pid, first.lease.slurm_job) == (os.getpid(), "88")
        assert not is_dead(first.lease)
        time.sleep(3 * TIMES.renew)
        second = read_lease(tmp_path)
        assert second is not None
        assert second.lease is not None
        assert second.lease.counter >= 2
        assert replace(second.lease, counter=0) == first.lease
        held.check()
    assert list(tmp_path.iterdir()) == []
    assert notes == []


def test_a_living_driver_is_not_disturbed(tmp_path, holder):
    notes: list[str] = []
    with (
        pytest.raises(RunFolderError, match=rf"in use by process {holder.process.pid} on ") as no,
        hold_lease(tmp_path, notes.append, TIMES),
    ):
        pass
    assert no.value.exit_code == 2
    assert "which is alive; wait until it is done" in str(no.value)
    (note,) = notes
    assert "looking for up to 2 s whether that driver is alive" in note
    (tmp_path / "end").touch()
    assert holder.line() == "released"
    assert [p.name for p in tmp_path.iterdir()] == ["end"]


def test_a_killed_driver_of_this_machine_is_followed_at_once(tmp_path, holder):
    """Also while it is a zombie, as nobody has waited for it yet."""
    holder.process.kill()
    while (seen := read_lease(tmp_path)) and seen.lease and not is_dead(seen.lease):
        time.sleep(0.01)
    notes: list[str] = []
    began = time.monotonic()
    with hold_lease(tmp_path, notes.append, LeaseTimes(renew=1, stale=3600)):
        assert time.monotonic() - began < 60
        (note,) = notes
        assert note.startswith(f"taking over the run from process {holder.process.pid} on ")
        assert note.endswith(", which died")
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_dies_while_it_is_looked_at_is_followed(tmp_path, holder):
    holder.process.send_signal(signal.SIGSTOP)
    threading.Timer(0.5, holder.process.kill).start()
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, LeaseTimes(renew=1, stale=3600)):
        assert notes[-1].endswith(", which died")


def test_the_same_process_number_begun_at_another_time_is_another_process(tmp_path, holder):
    seen = read_lease(tmp_path)
    assert seen is not None
    assert seen.lease is not None
    assert not is_dead(seen.lease)
    assert is_dead(replace(seen.lease, process_start="1"))
    assert not is_dead(replace(seen.lease, process_start="1", boot_id="other"))
    assert not is_dead(replace(seen.lease, process_start="1", pid_namespace="1"))
    assert not is_dead(replace(seen.lease, process_start="1", boot_id=""))


def test_a_suspended_driver_loses_its_lease_and_notices(tmp_path, holder):
    holder.process.send_signal(signal.SIGSTOP)
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, TIMES):
        assert len(notes) == 2
        assert notes[1].endswith("which gave no sign of life for 2 s")
        holder.process.send_signal(signal.SIGCONT)
        line = holder.line()
        assert line.startswith("SetupError 3 stopped, without writing any more to")
        assert f"process {os.getpid()} on" in line
        assert "took it over while this driver stood still" in line
        time.sleep(2 * TIMES.renew)
        seen = read_lease(tmp_path)
        assert seen is not None
        assert seen.lease is not None
        assert seen.lease.pid == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_was_suspended_with_nobody_there_goes_on(tmp_path, holder):
    holder.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5 * TIMES.stale)
    holder.process.send_signal(signal.SIGCONT)
    time.sleep(2 * TIMES.renew)
    (tmp_path / "end").touch()
    assert holder.line() == "released"


def test_a_driver_whose_folder_is_gone_stops(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    sink = MemorySink()
    with hold_lease(folder, print, TIMES) as held:
        leased = LeasedSink(sink, held)
        leased.append([Record({})])
        leased.flush()
        (folder / LEASE).unlink()
        folder.rmdir()
        deadline = time.monotonic() + 240
        while not held.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(SetupError, match="took it over"):
            leased.append([Record({})])
        with pytest.raises(SetupError, match="stopped, without writing any more"):
            leased.flush()
    assert len(sink.records) == 1


def test_a_driver_that_cannot_rewrite_its_lease_stops(tmp_path):
    """A file system that refuses: here a folder stands where the file was, also for root."""
    with hold_lease(tmp_path, print, LeaseTimes(renew=0.1, stale=0.5)) as held:
        (tmp_path / LEASE).unlink()
        (tmp_path / LEASE).mkdir()
        assert not held.lost
        deadline = time.monotonic() + 240
        while not held.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(SetupError, match=r"could not be rewritten for 0.5 s \(.*directory"):
            held.check()
    assert (tmp_path / LEASE).is_dir()


@pytest.mark.parametrize("year", ["1990", "2090"])
def test_clocks_do_not_count(tmp_path, year):
    """Neither what a lease says of the time, nor the time of the file."""
    leave(tmp_path, somewhere_else(taken_at=f"{year}-01-01T00:00:00+00:00"))
    seconds = (int(year) - 1970) * 365 * 86400
    os.utime(tmp_path / LEASE, (seconds, seconds))
    began = time.monotonic()
    with hold_lease(tmp_path, print, TIMES):
        assert time.monotonic() - began >= TIMES.stale


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"token": "x"}', b"\xff\xfe"])
def test_an_unreadable_lease_is_stale_when_it_stands_still(tmp_path, content):
    (tmp_path / LEASE).write_bytes(content)
    notes: list[str] = []
    began = time.monotonic()
    with hold_lease(tmp_path, notes.append, LeaseTimes(0.1, 0.5)):
        assert time.monotonic() - began >= 0.5
        assert notes[1].startswith("taking over the run from a driver whose lease.json cannot be")


def test_an_unreadable_lease_that_changes_is_alive(tmp_path):
    (tmp_path / LEASE).write_bytes(b"{")
    threading.Timer(0.5, (tmp_path / LEASE).write_bytes, [b"{ "]).start()
    with pytest.raises(RunFolderError, match="alive"), hold_lease(tmp_path, print, TIMES):
        pass


def test_a_lease_that_is_given_back_meanwhile_is_free(tmp_path):
    leave(tmp_path, somewhere_else())
    threading.Timer(0.5, (tmp_path / LEASE).unlink).start()
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, LeaseTimes(1, 3600)):
        assert len(notes) == 1


@pytest.mark.parametrize(
    "script",
    [
        "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1",
        '[ "$*" = "-h -j 77 -o %T" ]',
        "echo COMPLETED",
        "echo PENDING",
    ],
)
def test_a_lease_whose_slurm_job_is_gone_is_stale(tmp_path, monkeypatch, script):
    slurm(tmp_path / "bin", monkeypatch, script)
    leave(tmp_path, somewhere_else(slurm_job="77"))
    times = LeaseTimes(renew=0.3, stale=3600)
    refuse_if_in_use(tmp_path, times)
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, times):
        assert notes[1].endswith("Slurm job 77, which Slurm does not have any more")


@pytest.mark.parametrize(
    "script",
    [
        "echo RUNNING",
        "echo COMPLETING",
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
        "exec sleep 60",
        None,
    ],
)
def test_slurm_not_knowing_is_no_proof(tmp_path, monkeypatch, script):
    monkeypatch.setattr("bnnray.runtime.slurm_jobs.ANSWER_SECONDS", 0.5)
    if script is not None:
        slurm(tmp_path / "bin", monkeypatch, script)
    leave(tmp_path, somewhere_else(slurm_job="77"))
    with pytest.raises(RunFolderError, match="process 17 on n7, Slurm job 77; wait until") as no:
        refuse_if_in_use(tmp_path, TIMES)
    assert "\n" not in str(no.value)
    notes: list[str] = []
    with hold_lease(tmp_path, notes.append, TIMES):
        assert notes[1].endswith("no sign of life for 2 s")


def test_the_slurm_of_another_cluster_does_not_end_a_living_driver(tmp_path, monkeypatch):
    slurm(tmp_path / "bin", monkeypatch, "true")
    leave(tmp_path, somewhere_else(slurm_job="77"))
    again = somewhere_else(slurm_job="77", counter=4).encode()
    for look in (lambda: refuse_if_in_use(tmp_path, TIMES), lambda: take(tmp_path)):
        leave(tmp_path, somewhere_else(slurm_job="77"))
        threading.Timer(0.2, (tmp_path / LEASE).write_bytes, [again]).start()
        with pytest.raises(RunFolderError, match=r"alive; .* end it first: scancel 77"):
            look()


def take(folder: Path) -> None:
    with hold_lease(folder, print, TIMES):
        pass


def test_other_commands_are_refused_while_a_driver_may_be_there(tmp_path, holder):
    with pytest.raises(RunFolderError, match=f"process {holder.process.pid} on"):
        refuse_if_in_use(tmp_path)
    holder.stop()
    refuse_if_in_use(tmp_path)
    (tmp_path / LEASE).unlink()
    refuse_if_in_use(tmp_path)
    (tmp_path / LEASE).write_bytes(b"{")
    with pytest.raises(RunFolderError, match="if it died, run its job again"):
        refuse_if_in_use(tmp_path)
    (tmp_path / LEASE).unlink()
    (tmp_path / LEASE).mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        refuse_if_in_use(tmp_path)


def test_a_signal_ends_the_looking(tmp_path):
    leave(tmp_path, somewhere_else())
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    before = signal.getsignal(signal.SIGINT)
    with (
        pytest.raises(Interrupted, match="nothing was changed"),
        hold_lease(tmp_path, print, LeaseTimes(1, 3600)),
    ):
        pass
    assert signal.getsignal(signal.SIGINT) is before
    assert parse_lease((tmp_path / LEASE).read_bytes()) == somewhere_else()


def test_an_unwritable_place_is_one_line(tmp_path):
    with (
        pytest.raises(StorageError, match=r"cannot write .*lease\.json"),
        hold_lease(tmp_path / "none", print),
    ):
        pass


def test_a_file_that_is_not_the_stale_one_is_put_back(tmp_path):
    path = tmp_path / LEASE
    assert create(path, b"new")
    assert not create(path, b"another")
    assert not remove(path, b"old".__eq__)
    assert path.read_bytes() == b"new"
    assert remove(path, b"new".__eq__)
    assert not remove(path, b"new".__eq__)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def racers():
    four = [Holder(LeaseTimes(renew=0.2, stale=2.0)) for _ in range(4)]
    yield four
    for racer in four:
        racer.stop()


@pytest.mark.parametrize(("left", "rounds"), [("free", 10), ("dead", 10), ("still", 5)])
def test_of_several_drivers_at_the_same_moment_exactly_one_wins(tmp_path, racers, left, rounds):
    for n in range(rounds):
        folder = tmp_path / str(n)
        folder.mkdir()
        if left != "free":
            leave(folder, dead_here() if left == "dead" else somewhere_else())
        for racer in racers:
            racer.take(folder)
        lines = [racer.line() for racer in racers]
        assert sorted(line.split()[0] for line in lines) == [*["RunFolderError"] * 3, "held"]
        winner = racers[lines.index("held")]
        seen = read_lease(folder)
        assert seen is not None
        assert seen.lease is not None
        assert seen.lease.pid == winner.process.pid
        (folder / "end").touch()
        assert winner.line() == "released"
        assert [p.name for p in folder.iterdir()] == ["end"]


def dead_here() -> Lease:
    """The lease of a process of this machine that is gone."""
    done = subprocess.Popen(["true"])
    done.wait()
    here = {"boot_id": boot_id(), "pid_namespace": pid_namespace()}
    return somewhere_else(pid=done.pid, process_start="1", **here)


def test_the_file_says_who(tmp_path):
    with hold_lease(tmp_path, print):
        found = json.loads((tmp_path / LEASE).read_text())
    assert set(found) == {
        "token", "host", "boot_id", "pid", "process_start", "pid_namespace", "slurm_job",
        "counter", "taken_at",
    }  # fmt: skip


def test_a_second_run_of_a_job_is_refused_and_one_after_a_kill_goes_on(start, tmp_path):
    run = tmp_path / "runs" / "digits"
    first = start("--local", *PATIENT)
    wait_for((run / LEASE).exists, first)
    second = start("--local", *PATIENT)
    _, err = second.communicate(timeout=240)
    assert second.returncode == 2, err
    looking, refused = err.splitlines()
    assert looking.startswith("runs/digits is in use by process")
    assert refused.startswith(f"bnnray: runs/digits is in use by process {first.pid} on ")
    first.kill()
    first.communicate()
    third = start("--local", "--set", "data.points=1")
    _, err = third.communicate(timeout=240)
    assert third.returncode == 0, err
    assert err.startswith(f"taking over the run from process {first.pid} on ")
    assert not (run / LEASE).exists()
