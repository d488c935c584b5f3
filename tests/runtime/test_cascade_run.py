"""Whole runs of a cascade on real digits: its columns, and what is done again."""

from __future__ import annotations

import json

import pytest
from small_run import JOB, Listener
from typer.testing import CliRunner

from bnnray.cli.main import app
from bnnray.errors import LicenceError
from bnnray.job import load_job
from bnnray.results import RunFolder, query
from bnnray.runtime import Rerun, RunOptions, run_job

CASCADE = """
[[attack]]
kind = "cascade"
time_limit = "2min"
stop = "flip"
stages = [
  { kind = "pgd", iterations = 10, restarts = 3 },
  { kind = "milp", backend = "highs" },
]
"""


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(JOB + CASCADE)
    return path


@pytest.fixture
def job(job_file):
    return lambda *overrides: load_job(job_file, ["data.points=2", *overrides]).job


def test_the_columns_say_who_decided_and_what_each_stage_took(job_file, tmp_path):
    runs = tmp_path / "runs"
    done = CliRunner().invoke(app, ["run", str(job_file), "--local", "--runs-dir", str(runs)])
    assert done.exit_code == 0, done.output
    sql = """select kind, decided_by, stage_seconds, verdict, seconds, status, replay
             from results order by key"""
    rows = query(RunFolder(runs / "digits"), sql).rows
    others = [row for row in rows if row[0] != "cascade"]
    assert {row[1:3] for row in others} == {("", "")}
    ours = [row[1:] for row in rows if row[0] == "cascade"]
    assert len(ours) == 8
    assert {row[0] for row in ours} >= {"pgd", "milp"}
    for decided_by, spent, verdict, seconds, status, replayed in ours:
        stages = json.loads(spent)
        assert list(stages) == ["intervals", "pgd", "milp"][: len(stages)]
        assert list(stages)[-1] == decided_by
        assert 0 < sum(stages.values()) <= seconds + 1e-5
        assert status == ("flip_found" if verdict == "vulnerable" else "infeasible")
        assert replayed == "ok"
    agree = """select count(*) from results c join results m using (question)
               where c.kind = 'cascade' and m.kind = 'milp' and c.verdict = m.verdict"""
    assert query(RunFolder(runs / "digits"), agree).rows == ((8,),)
    in_sql = """select count(*) from results
                where (stage_seconds->>'$.pgd')::double > 0 and decided_by = 'pgd'"""
    assert query(RunFolder(runs / "digits"), in_sql).rows[0][0] > 0


def test_the_same_command_again_does_nothing_and_an_edited_stage_runs(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    run_job(job(), options, Listener())
    limit = "attack.cascade.stages.pgd.time_limit=9s"
    for same in ((), (limit,), ("attack.cascade.time_limit=3min",)):
        again = Listener()
        run_job(job(*same), options, again)
        assert again.begun == (12, 12), same
    edited = Listener()
    run_job(job("attack.cascade.stages.pgd.restarts=4"), options, edited)
    assert edited.begun == (12, 8)
    assert {record.row["kind"] for record in edited.records} == {"cascade"}


def test_a_larger_limit_reruns_a_cascade_that_hit_the_smaller(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    short = ["data.points=2", "threat.epsilon='2/16'", "attack.cascade.stop=optimum"]
    tiny = "attack.cascade.time_limit=0.001"
    folder = run_job(job(*short, tiny), options, Listener()).folder
    sql = "select count(*) from results where kind = 'cascade' and status = 'time_limit'"
    assert query(folder, sql).rows == ((2,),)
    more = Listener()
    run_job(job(*short), options, more)
    assert more.begun == (6, 4)
    unknown = Listener()
    rule = RunOptions(tmp_path / "runs", local=True, rerun=Rerun.UNKNOWN)
    run_job(job(*short), rule, unknown)
    assert "cascade" not in {record.row["kind"] for record in unknown.records}


def test_a_stage_that_names_gurobi_needs_its_licence(job, tmp_path, monkeypatch):
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    with pytest.raises(LicenceError, match="attack 'cascade': expected a Gurobi licence"):
        run_job(
            job("attack.cascade.stages.milp.backend=gurobi"),
            RunOptions(tmp_path / "runs", local=True),
            Listener(),
        )
    assert not (tmp_path / "runs").exists()
