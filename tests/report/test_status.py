"""How far a run is, from folders with known content."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import time
from datetime import datetime, timedelta

import pytest

from bnnray.report import RunState, run_status
from bnnray.results import ParquetSink, Record, RunFolder, tidy, write_batch, write_table
from bnnray.results.lease import LEASE, Lease, boot_id, pid_namespace, process_start
from bnnray.results.now import NOW as NOW_FILE
from bnnray.results.now import Now, RunningShard
from bnnray.results.schema import RESULTS, UNITS
from bnnray.runtime.rerun import Ended, Limits, Rerun, is_due
from bnnray.verdicts import FAILED, Status, Verdict

NOW = datetime(2026, 3, 1, 12)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "job")
    folder.claim("job")
    folder.write_provenance({"job": "job"})
    return folder


def list_units(run: RunFolder, attack: str, count: int, limit: float, before=()) -> list[dict]:
    units = [
        {"key": f"{attack}-{n}", "model": "net", "point": n, "epsilon": 0.1}
        | {"attack": attack, "time_limit": limit}
        for n in range(count)
    ]
    every = [*before, *units]
    write_table(run.units, "units", [{c.name: u.get(c.name) for c in UNITS} for u in every])
    return every


def finish(run: RunFolder, unit: dict, ended: datetime, seconds: float = 2.0, **changes) -> None:
    row = {
        **unit,
        "status": "optimal",
        "flipped": False,
        "proof": "none",
        "seconds": seconds,
        "batch_size": 1,
        "started_at": ended - timedelta(seconds=seconds),
        "finished_at": ended,
        **changes,
    }
    sink = ParquetSink(run.path)
    sink.append([Record({c.name: row.get(c.name) for c in RESULTS})])
    sink.flush()


def hold(run: RunFolder, **changes) -> None:
    here = {
        "token": "x", "host": "here", "boot_id": boot_id(), "pid": os.getpid(),
        "process_start": process_start(os.getpid()), "pid_namespace": pid_namespace(),
        "slurm_job": "", "counter": 1, "taken_at": "2026-03-01T11:00:00+00:00",
    }  # fmt: skip
    (run.path / LEASE).write_bytes(Lease(**(here | changes)).encode())


def test_before_the_units_are_listed(run):
    found = run_status(run)
    assert (found.state, found.listed, found.total) == (RunState.STOPPED, False, 0)
    assert (found.driver, found.eta_seconds, found.attacks, found.errors) == (None, None, (), ())
    hold(run)
    assert run_status(run).state is RunState.RUNNING


def test_before_any_row(run):
    list_units(run, "milp", 3, 9.0)
    hold(run)
    found = run_status(run)
    assert (found.total, found.done, found.left, found.failed) == (3, 0, 3, 0)
    assert found.eta_seconds is None
    (attack,) = found.attacks
    assert (attack.mean_seconds, attack.per_minute.recent, attack.per_minute.whole) == (None, 0, 0)


def test_every_unit_is_done_failed_or_left(run):
    units = list_units(run, "pgd", 2, 5.0)
    units = list_units(run, "milp", 7, 60.0, units)
    finish(run, units[0], NOW, flipped=True)
    for n, changes in enumerate(
        [
            {"flipped": True, "proof": "solver"},
            {"status": "crashed", "message": "it\n  fell over"},
            {"status": "licence"},
            {"status": "bad_witness"},
            {"status": "time_limit", "time_limit": 60.0},
            {"status": "time_limit", "time_limit": 30.0},
        ]
    ):
        finish(run, units[2 + n], NOW + timedelta(seconds=n), **changes)
    finish(run, {**units[0], "key": "of another job"}, NOW, status="crashed")
    found = run_status(run, NOW)
    assert [a.attack for a in found.attacks] == ["pgd", "milp"]
    assert (found.total, found.done, found.left, found.failed) == (9, 4, 3, 2)
    assert (found.crashed, found.licence, found.bad_witness) == (1, 1, 1)
    milp = found.attacks[1]
    assert (milp.total, milp.done, milp.left, milp.failed) == (7, 3, 2, 2)
    assert (milp.flips, milp.proofs) == (1, 1)
    assert [(e.status, e.message, e.point) for e in found.errors] == [
        ("licence", "", 2),
        ("crashed", "it fell over", 1),
    ]


@pytest.mark.parametrize("memory", [None, 1, 2, 3])
def test_what_settles_a_unit_is_what_a_run_leaves_out(run, memory):
    """Every status, with limits smaller and larger than now, equal and absent."""
    units, rows, states = [], [], []
    for status, seconds, cap in itertools.product(Status, (5.0, 9.0, 20.0), (None, 1, 2, 3)):
        had = {"time_limit": seconds, "memory_limit_bytes": cap, "status": status.value}
        unit = {"key": str(len(units)), "attack": str(len(units)), "time_limit": 9.0}
        units.append({**unit, "memory_limit_bytes": memory})
        rows.append(Record({**unit, **had, "finished_at": NOW}))
        ended = Ended(status, Verdict.UNKNOWN, Limits(seconds, cap), complete=True)
        due = is_due(Rerun.FAILED, ended, Limits(9.0, memory))
        states.append("failed" if status in FAILED else "left" if due else "done")
    write_table(run.units, "units", units)
    write_batch(run.path, "x", rows)
    found = [
        next(state for state in ("done", "failed", "left") if getattr(a, state))
        for a in run_status(run, NOW).attacks
    ]
    assert found == states


def test_damaged_files_are_named_and_damaged_units_are_not_listed(run):
    units = list_units(run, "milp", 2, 9.0)
    finish(run, units[0], NOW)
    finish(run, units[1], NOW)
    bad = run.parts("results")[0]
    bad.write_bytes(b"")
    found = run_status(run, NOW)
    assert (found.listed, found.done, [p.path for p in found.problems]) == (True, 1, [bad])
    assert found.as_json()["problems"] == [{"path": str(bad), "reason": "empty"}]
    run.units.write_bytes(b"")
    found = run_status(run, NOW)
    assert (found.listed, found.state) == (False, RunState.STOPPED)
    assert [p.path for p in found.problems] == [bad, run.units]


def test_the_newest_failures_of_all_attacks_come_first(run):
    units = list_units(run, "pgd", 4, 5.0)
    units = list_units(run, "milp", 4, 5.0, units)
    for n, unit in enumerate(units):
        finish(run, unit, NOW + timedelta(seconds=(5 * n) % 8), status="crashed", message=str(n))
    errors = run_status(run, NOW).errors
    assert [e.finished_at - NOW for e in errors] == [timedelta(seconds=s) for s in (7, 6, 5, 4, 3)]


def test_rates_and_the_time_to_go(run):
    """Two slots: 60 units of 10 s each, 20 of them done in the last 100 s, and 10 before."""
    units = list_units(run, "milp", 60, 30.0)
    for n in range(10):
        finish(run, units[n], NOW - timedelta(seconds=900), 10.0)
    for n in range(20):
        finish(run, units[10 + n], NOW - timedelta(seconds=10 * (n // 2)), 10.0)
    hold(run)
    found = run_status(run, NOW)
    assert found.per_minute.recent == pytest.approx(60 * 20 / 100)
    assert found.per_minute.whole == pytest.approx(60 * 30 / 910)
    assert found.eta_seconds == pytest.approx(30 * 10 / 2)
    (run.path / LEASE).unlink()
    assert run_status(run, NOW).eta_seconds is None


def test_the_time_to_go_has_a_range(run):
    """One slot; 40 units left of an attack whose 20 others took 10 s and 20 s by turns."""
    units = list_units(run, "milp", 60, 30.0)
    for n in range(20):
        finish(
            run, units[n], NOW - timedelta(hours=2) + timedelta(seconds=15 * n), 10.0 + n % 2 * 10
        )
    hold(run)
    found = run_status(run, NOW)
    spread = 5 * math.sqrt(20 / 19)
    margin = 1.96 * spread * math.sqrt(40 + 40**2 / 20)
    slowness = (19 * 15 + 10) / (20 * 15)
    assert found.eta_seconds == pytest.approx(slowness * 40 * 15)
    assert found.eta_range == pytest.approx(
        (slowness * (40 * 15 - margin), slowness * (40 * 15 + margin))
    )
    (attack,) = found.attacks
    assert attack.eta_seconds == pytest.approx(found.eta_seconds)


def test_what_nothing_is_known_of_takes_between_nothing_and_its_limits(run):
    units = list_units(run, "pgd", 8, 5.0)
    units = list_units(run, "milp", 3, 60.0, units)
    for unit in units[:6]:
        finish(run, unit, NOW, 2.0)
    hold(run)
    found = run_status(run, NOW)
    rate = 2 / 12
    assert found.eta_range == pytest.approx((rate * 2 * 2, 60))
    assert found.eta_seconds == pytest.approx(60)
    assert [a.eta_seconds for a in found.attacks] == pytest.approx([rate * 4, rate * 180])


def test_no_unit_takes_longer_than_its_limit(run):
    units = list_units(run, "milp", 6, 10.0)
    for n, unit in enumerate(units[:5]):
        finish(run, unit, NOW, 10.0 * (n % 2) + 0.001)
    hold(run)
    low, high = run_status(run, NOW).eta_range
    assert (low, high) == (0.0, pytest.approx(10.0))


def test_the_newest_flips_of_all_attacks_come_first(run):
    units = list_units(run, "pgd", 4, 5.0)
    units = list_units(run, "milp", 6, 5.0, units)
    for n, unit in enumerate(units):
        finish(run, unit, NOW + timedelta(seconds=(3 * n) % 10), flipped=n != 3, objective=float(n))
    flips = run_status(run, NOW).flips
    assert [(f.attack, f.point, f.objective) for f in flips] == [
        ("milp", 2, 6.0), ("milp", 5, 9.0), ("pgd", 2, 2.0), ("milp", 1, 5.0), ("milp", 4, 8.0),
    ]  # fmt: skip
    assert {f.epsilon for f in flips} == {0.1}


def test_what_the_driver_does_is_shown_while_it_lives(run):
    list_units(run, "milp", 3, 9.0)
    now = Now(2, 1, 2, (RunningShard("milp", "net", (0,), 0.1, 1, "here", 3.0),))
    path = run.path / NOW_FILE
    path.parent.mkdir()
    path.write_bytes(now.encode())
    assert run_status(run, NOW).now is None
    hold(run)
    assert run_status(run, NOW).now == now
    assert run_status(run, NOW).as_json()["now"]["running"][0]["points"] == (0,)
    for content in (b"", b"{", b"[]", b'{"running": [1]}'):
        path.write_bytes(content)
        assert run_status(run, NOW).now is None
    path.write_bytes(now.encode())
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert run_status(run, NOW).now is None


def test_an_attack_without_finished_units_is_taken_to_need_its_limit(run):
    units = list_units(run, "pgd", 6, 5.0)
    units = list_units(run, "milp", 3, 60.0, units)
    for unit in units[:6]:
        finish(run, unit, NOW, 6.0, batch_size=6)
    hold(run)
    assert run_status(run, NOW).eta_seconds == pytest.approx(3 * 60)


def test_no_less_than_the_slowest_unit_left(run):
    units = list_units(run, "milp", 41, 30.0)
    for unit in units[:40]:
        finish(run, unit, NOW, 10.0)
    hold(run)
    assert run_status(run, NOW).eta_seconds == pytest.approx(10)


def test_without_current_rows_the_whole_run_counts(run):
    units = list_units(run, "milp", 20, 30.0)
    for n in range(10):
        finish(run, units[n], NOW - timedelta(hours=1) + timedelta(seconds=10 * n), 10.0)
    hold(run)
    found = run_status(run, NOW)
    assert found.per_minute.recent == 0
    assert found.per_minute.whole == pytest.approx(6)
    assert found.eta_seconds == pytest.approx(100)


def test_done_is_done(run):
    units = list_units(run, "milp", 1, 9.0)
    finish(run, units[0], NOW)
    found = run_status(run, NOW)
    assert (found.state, found.left, found.eta_seconds) == (RunState.DONE, 0, None)


def test_who_holds_the_folder(run):
    hold(run, boot_id="other", slurm_job="77", host="n7", pid=12)
    os.utime(run.path / LEASE, (time.time() - 500, time.time() - 500))
    found = run_status(run)
    assert found.state is RunState.RUNNING
    assert found.driver is not None
    assert found.driver.holder == "process 12 on n7, Slurm job 77"
    assert found.driver.seconds_since_sign_of_life == pytest.approx(500, abs=60)
    os.utime(run.path / LEASE, (time.time() + 500, time.time() + 500))
    found = run_status(run)
    assert found.driver is not None
    assert found.driver.seconds_since_sign_of_life == 0
    done = subprocess.Popen(["true"])
    done.wait()
    hold(run, pid=done.pid)
    found = run_status(run)
    assert found.state is RunState.DIED
    (run.path / LEASE).write_text("{")
    found = run_status(run)
    assert found.driver is not None
    assert (found.state, found.driver.pid) == (RunState.RUNNING, None)


def test_rows_that_were_put_aside_are_counted(run):
    units = list_units(run, "milp", 2, 9.0)
    finish(run, units[0], NOW)
    finish(run, units[1], NOW)
    tidy(run, [], [])
    found = run_status(run, NOW)
    assert (found.archived_rows, found.done) == (2, 0)


def test_as_json_it_has_these_keys(run):
    units = list_units(run, "milp", 2, 9.0)
    finish(run, units[0], NOW, status="crashed", message="oops")
    hold(run)
    found = json.loads(json.dumps(run_status(run, NOW).as_json()))
    assert list(found) == [
        "run", "folder", "at", "state", "listed", "total", "done", "left", "failed", "crashed",
        "licence", "bad_witness", "archived_rows", "per_minute", "eta_seconds", "eta_range",
        "driver", "now", "attacks", "flips", "errors", "problems",
    ]  # fmt: skip
    assert set(found["attacks"][0]) == {
        "attack", "total", "done", "left", "failed", "crashed", "licence", "bad_witness", "flips",
        "proofs", "mean_seconds", "per_minute", "eta_seconds",
    }  # fmt: skip
    assert set(found["driver"]) == {
        "holder", "host", "pid", "slurm_job", "since", "seconds_since_sign_of_life", "dead",
    }  # fmt: skip
    assert set(found["per_minute"]) == {"recent", "whole"}
    assert found["state"] == "running"
    assert found["errors"] == [
        {
            "key": "milp-0",
            "attack": "milp",
            "model": "net",
            "point": 0,
            "status": "crashed",
            "message": "oops",
            "finished_at": "2026-03-01T12:00:00",
        }
    ]
