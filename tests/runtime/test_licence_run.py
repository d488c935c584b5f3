"""Whole runs with a counted licence, and with one that goes and comes back."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
from licence_files import licence_file
from small_run import Listener

from bnnray.errors import LicenceError
from bnnray.job import load_job
from bnnray.results import query
from bnnray.runtime import RunOptions, run_job

__all__ = ["licence_file"]

JOB = """
name = "licences"
[data]
dataset = "digits"
points = 4
[[model]]
name = "net"
hidden = [20, 12]
train = { epochs = 2 }
[threat]
epsilon = ["2/16"]
domain = "grid"
[[attack]]
kind = "pgd"
repeat = true
time_limit = "2s"
[[attack]]
kind = "milp"
backend = "gurobi"
time_limit = "1min"
[[attack]]
kind = "cascade"
time_limit = "1min"
stages = [{ kind = "milp" }]
[resources]
gurobi_tokens = 1
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return lambda *overrides: load_job(path, overrides).job


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return RunOptions(tmp_path / "runs", local=True)


class Breaks(Listener):
    """Takes the licence away after the first unit that had it, and brings it back when a run says
    that it waits."""

    def __init__(self, file) -> None:
        super().__init__()
        self.file = file
        self.said: list[str] = []

    def finished(self, records) -> None:
        if not self.had_one:
            super().finished(records)
            if self.had_one:
                self.file.away()

    @property
    def had_one(self) -> bool:
        return any(record.row["backend"] == "gurobi" for record in self.records)

    def note(self, text) -> None:
        self.said.append(text)
        self.file.valid()


def test_one_licence_is_held_by_one_unit_at_a_time_while_others_run(job, options):
    folder = run_job(job(), options, Listener()).folder
    sql = "select started_at, finished_at from results where kind {} 'pgd' order by all"
    licensed = query(folder, sql.format("!=")).rows
    assert len(licensed) == 8
    assert all(ended <= began for (_, ended), (began, _) in pairwise(licensed))
    others = query(folder, sql.format("=")).rows
    assert any(began < end and start < ended for start, end in others for began, ended in licensed)
    assert query(folder, "select distinct backend from results where kind != 'pgd'").rows == (
        ("gurobi",),
    )
    assert folder.sessions()[-1]["licence_waits"] == 0


def test_a_licence_that_goes_is_waited_for_and_no_unit_is_worse_off(job, options, licence_file):
    listener = Breaks(licence_file)
    result = run_job(job(), options, listener)
    assert (result.left, result.failed) == (0, 0)
    found = query(result.folder, "select distinct status, attempt, backend from results").rows
    statuses = {status for status, _, backend in found if backend}
    assert statuses == {"optimal"}
    assert {attempt for _, attempt, _ in found} == {1}
    assert {backend for _, _, backend in found} == {"gurobi", ""}
    assert listener.said[0].startswith("units wait for a licence: expected an answer of")
    assert result.folder.sessions()[-1]["licence_waits"] >= 1


def test_a_run_that_shall_not_wait_records_what_had_no_licence(job, options, licence_file):
    listener = Breaks(licence_file)
    result = run_job(job("resources.on_no_licence=fail"), options, listener)
    assert (result.left, listener.said) == (0, [])
    found = query(
        result.folder, "select status, count(*) from results where kind != 'pgd' group by 1"
    )
    statuses = dict(found.rows)
    assert statuses == {"optimal": 8 - result.failed, "licence": result.failed}
    assert result.failed >= 6
    sql = "select distinct backend from results where kind != 'pgd' and status = 'optimal'"
    assert query(result.folder, sql).rows == (("gurobi",),)
    licence_file.valid()
    again = run_job(job("resources.on_no_licence=fail"), options, Listener())
    assert (again.left, again.failed) == (0, 0)


@pytest.mark.parametrize("backend", ["gurobi", "auto"])
def test_a_server_that_does_not_answer_is_told_before_the_run(job, options, licence_file, backend):
    licence_file.away()
    with pytest.raises(LicenceError, match="attack 'milp': expected an answer of"):
        run_job(job(f"attack.milp.backend={backend}"), options, Listener())
    assert not options.runs_dir.exists()
