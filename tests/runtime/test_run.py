"""Whole runs on real digits, with Ray and without: the same rows, resumed, broken."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import JOB, SAME, Listener, rows

from bnnray.datasets import load_dataset
from bnnray.errors import DataError, JobError, LicenceError, ModelError, StorageError
from bnnray.job import load_job
from bnnray.models import load_model
from bnnray.results import query
from bnnray.runtime import Rerun, RunOptions, run_job

IPROP = """
[[attack]]
kind = "iprop"
backend = "highs"
subproblem_patience = "off"
record = true
time_limit = "2min"
"""


@pytest.fixture(scope="module")
def local_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    path = folder / "job.toml"
    path.write_text(JOB)
    listener = Listener()
    result = run_job(load_job(path).job, RunOptions(folder / "runs", local=True), listener)
    return result, listener


def test_a_quantized_network_is_trained_attacked_and_read_again(job, tmp_path):
    """Its witnesses are inputs within the budget, and a path brings the same rows."""
    options = RunOptions(tmp_path / "runs", local=True)
    quantized = ["model.net.quantize=0.1", "threat.domain=box", "threat.epsilon=[0.06]"]
    first = run_job(job(*quantized), options, Listener()).folder
    found = rows(first, f"{SAME}, epsilon")
    assert len(found) == 8
    assert all(row[9] <= row[-1] for row in found)
    (file,) = first.models.glob("net-*.bnn")
    again = (tmp_path / "job.toml").read_text().replace("hidden = [20, 12]", f'path = "{file}"')
    (tmp_path / "job.toml").write_text(again.replace("train = { epochs = 4 }", ""))
    by_path = job(*quantized[1:], "name=again")
    second = run_job(by_path, options, Listener()).folder
    assert rows(second, f"{SAME}, epsilon") == found
    paper = job(*quantized[1:], "name=paper", "attack.milp.formulation=paper")
    with pytest.raises(JobError, match=r"model 'net': attack 'milp': formulation"):
        run_job(paper, options, Listener())
    assert not (tmp_path / "runs" / "paper").exists()


def test_a_grid_coarser_than_the_quantizer_is_refused_before_training(job, tmp_path):
    listener = Listener()
    with pytest.raises(JobError, match="model 'net': expected levels of at least 20"):
        run_job(job("model.net.quantize=0.05"), RunOptions(tmp_path / "runs", local=True), listener)
    assert listener.epochs == 0


def test_a_run_leaves_what_the_contract_says(local_run):
    result, listener = local_run
    folder = result.folder.path
    assert (result.total, result.left, result.failed) == (16, 0, 0)
    assert listener.epochs == 4
    assert listener.begun == (16, 0)
    assert {p.name for p in folder.iterdir()} == {
        "job.toml", "run.json", "units.parquet", "results", "trace", "witnesses", "models",
        "logs",
    }  # fmt: skip
    provenance = json.loads((folder / "run.json").read_text())
    (model,) = (folder / "models").glob("*.bnn")
    assert provenance["models"] == {"net": load_model(model).digest}
    assert provenance["command"] == [Path(sys.argv[0]).name, *sys.argv[1:]]
    (session,) = provenance["sessions"]
    counts = [session[name] for name in ("units", "failed", "retried", "left")]
    assert counts == [16, 0, 0, 0]
    assert session["started_at"] < session["finished_at"]
    slots = session["slots"]
    assert slots["count"] == len(os.sched_getaffinity(0))
    assert 0 < slots["busy_percent"] <= 100
    assert 0 <= slots["tail_seconds"] <= session["seconds"]
    assert load_job(folder / "job.toml").job.name == "digits"


def test_every_row_is_complete_and_consistent(local_run):
    folder = local_run[0].folder
    assert query(folder, "select count(*), count(distinct key) from results").rows == ((16, 16),)
    bad = query(
        folder,
        """select key, kind, verdict, proof, status from results where
           (verdict = 'vulnerable') <> flipped or replay <> 'ok' or objective > bound
           or (kind = 'pgd' and (verdict = 'robust' or proof <> 'none'))
           or (kind = 'milp' and (proof = 'none' or objective <> bound))
           or linf > epsilon + 1e-12 or normalized <> objective / objective_max
           or finished_at < started_at or seconds > time_limit + 5 or l0 is null""",
    )
    assert bad.rows == ()
    never = query(folder, "select question from results group by question having count(*) <> 2")
    assert never.rows == ()
    pgd_above = query(
        folder,
        """select 1 from results p join results m using (question)
           where p.kind = 'pgd' and m.kind = 'milp' and p.objective > m.objective""",
    )
    assert pgd_above.rows == ()


def test_every_row_has_a_trace_from_the_clean_objective_and_a_witness(local_run):
    folder = local_run[0].folder
    missing = query(
        folder,
        """select key from results r where
           (select count(*) from witnesses w where w.key = r.key and len(w."grid") = 64) <> 1
           or (select arg_min(t.objective, t.seconds) from trace t where t.key = r.key)
              <> r.objective_clean
           or (select max(t.objective) from trace t where t.key = r.key) <> r.objective""",
    )
    assert missing.rows == ()


def test_the_same_command_again_does_nothing(local_run, tmp_path):
    result, _ = local_run
    before = rows(result.folder, "*")
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    listener = Listener()
    sessions = result.folder.sessions()
    again = run_job(load_job(path).job, RunOptions(result.folder.path.parent, local=True), listener)
    assert listener.begun == (16, 16)
    assert (listener.epochs, listener.records, again.left) == (0, [], 0)
    assert rows(result.folder, "*") == before
    *former, last = result.folder.sessions()
    assert former == sessions
    assert (last["units"], last["left"]) == (0, 0)


def test_ray_gives_the_same_rows(local_run, job, tmp_path):
    listener = Listener()
    result = run_job(job(), RunOptions(tmp_path / "runs"), listener)
    assert (result.total, result.left, result.failed) == (16, 0, 0)
    assert listener.epochs == 4
    assert rows(result.folder) == rows(local_run[0].folder)
    witnesses = 'select key, "grid" from witnesses where key in ({}) order by key'.format(
        "select key from results where kind = 'pgd'"
    )
    assert query(result.folder, witnesses).rows == query(local_run[0].folder, witnesses).rows


def test_iprop_and_its_record_are_the_same_with_ray_and_without(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(JOB[: JOB.index("[[attack]]")] + IPROP)
    results = [
        run_job(load_job(path).job, RunOptions(tmp_path / how, local=how == "local"), Listener())
        for how in ("local", "ray")
    ]
    folders = [result.folder for result in results]
    rows = [query(folder, f"select {SAME} from results order by key").rows for folder in folders]
    assert rows[0] == rows[1]
    assert {row[3] for row in rows[0]} == {"local_optimum"}
    steps = [
        query(folder, "select * exclude (finished_at, seconds) from subproblems order by all").rows
        for folder in folders
    ]
    assert steps[0] == steps[1] != ()
    wrong = """
        select count(*) from results join (
            select key, max(iteration) as n, max(objective) filter (improved) as best,
                   count(*) filter (layer = 0) as inputs, count(*) filter (layer = 1) as hidden
            from subproblems group by key
        ) using (key)
        where n <> iterations or best <> objective or inputs <> n or hidden <> n
    """
    assert query(folders[0], wrong).rows == ((0,),)


def test_a_local_threat_and_the_smallest_perturbation_are_in_the_rows(job, tmp_path):
    local = job(
        "data.points=6",
        "threat.epsilon=[0.5]",
        "threat.goal=any",
        "threat.mask={top=1, left=1, height=6, width=5}",
        "threat.max_pixels=4",
        "attack.milp.minimize=linf",
        "attack.milp.warm_start={kind='pgd', iterations=10}",
    )
    folder = run_job(local, RunOptions(tmp_path, local=True), Listener()).folder
    assert query(
        folder, "select distinct kind, minimize, mask_pixels, max_pixels from results order by 1"
    ).rows == (("milp", "linf", 30, 4), ("pgd", None, 30, 4))
    found = query(folder, "select count(*), count(distance) from results where kind = 'milp'").rows
    assert found[0][0] == 6
    assert found[0][1] > 0
    bad = query(
        folder,
        """select key from results where status = 'crashed' or l0 > 4 or l1 < linf
           or (distance is not null) <> (kind = 'milp' and flipped)
           or distance <> linf or distance_bound > distance
           or (distance_bound is null) <> (kind = 'pgd' or verdict = 'robust')""",
    )
    assert bad.rows == ()
    traced = query(
        folder,
        """select min(t.distance), r.distance from results r join trace t using (key)
           where kind = 'milp' group by key, r.distance""",
    )
    assert all(least == last for least, last in traced.rows)


def test_an_edited_job_runs_only_what_changed(local_run, job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    run_job(job("data.points=1"), options, Listener())
    more = Listener()
    run_job(job("data.points=2", "threat.epsilon=['1/16', '3/16']"), options, more)
    assert more.begun == (8, 2)
    assert len(more.records) == 6


def test_a_larger_limit_reruns_only_what_hit_the_smaller(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    short = ["data.points=2", "threat.epsilon='6/16'", "attack.milp.time_limit=0.02"]
    first = Listener()
    result = run_job(job(*short), options, first)
    hit = query(result.folder, "select count(*) from results where status = 'time_limit'").rows
    assert hit == ((2,),)
    second = Listener()
    run_job(job(*short[:2], "attack.milp.time_limit=1min"), options, second)
    assert second.begun == (4, 2)


def test_an_edit_that_is_undone_costs_nothing(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    folder = run_job(job("data.points=3"), options, Listener()).folder
    before = rows(folder, "*")
    edited = Listener()
    run_job(job("data.points=1", "threat.epsilon=['1/16', '3/16']"), options, edited)
    assert edited.begun == (4, 2)
    away = query(folder, "select reason, count(*) from archived group by all").rows
    assert away == (("obsolete", 10),)
    assert query(folder, "select count(*) from all_results").rows == ((4,),)
    undone = Listener()
    run_job(job("data.points=3"), options, undone)
    assert (undone.begun, undone.records) == ((12, 12), [])
    assert rows(folder, "*") == before
    whole = """select count(*), count(distinct key) from witnesses
               where key in (select key from trace)"""
    assert query(folder, whole).rows == ((12, 12),)


def test_rerun_limit_does_only_what_a_limit_ended(job, tmp_path):
    runs = tmp_path / "runs"
    short = ["data.points=2", "threat.epsilon='6/16'", "attack.milp.time_limit=0.02"]
    folder = run_job(job(*short), RunOptions(runs, local=True), Listener()).folder
    never, limit = Listener(), Listener()
    longer = [*short[:2], "attack.milp.time_limit=0.03"]
    run_job(job(*longer), RunOptions(runs, local=True, rerun=Rerun.NEVER), never)
    assert never.begun == (4, 4)
    run_job(job(*short), RunOptions(runs, local=True, rerun=Rerun.LIMIT), limit)
    assert limit.begun == (4, 2)
    assert {r.row["kind"] for r in limit.records} == {"milp"}
    reasons = query(folder, "select kind, reason, count(*) from archived group by all").rows
    assert reasons == (("milp", "rerun", 2),)


def test_a_rerun_that_is_interrupted_is_completed_by_the_plain_command(job, tmp_path):
    small = job("data.points=2")
    folder = run_job(small, RunOptions(tmp_path, local=True), Listener()).folder

    class Stopped(Exception):
        pass

    class Stopping(Listener):
        def finished(self, records) -> None:
            super().finished(records)
            raise Stopped

    stopping = Stopping()
    with pytest.raises(Stopped):
        run_job(small, RunOptions(tmp_path, local=True, rerun=Rerun.ALL), stopping)
    assert stopping.begun == (8, 0)
    done = query(folder, "select count(*) from results").rows[0][0]
    plain = Listener()
    run_job(small, RunOptions(tmp_path, local=True), plain)
    assert plain.begun == (8, done)
    assert query(folder, "select count(*) from results").rows == ((8,),)
    assert query(folder, "select count(*) from archived where reason = 'rerun'").rows == ((8,),)


def test_the_units_of_a_torn_part_are_done_again(job, tmp_path):
    options = RunOptions(tmp_path, local=True)
    folder = run_job(job("data.points=1"), options, Listener()).folder
    before = rows(folder)
    for part in folder.parts("results"):
        part.write_bytes(part.read_bytes()[:1000])
    again = Listener()
    run_job(job("data.points=1"), options, again)
    assert again.begun == (4, 0)
    assert rows(folder) == before
    assert again.problems
    assert all(p.path.is_relative_to(folder.damaged / "results") for p in again.problems)
    quiet = Listener()
    run_job(job("data.points=1"), options, quiet)
    assert (quiet.begun, quiet.problems) == ((4, 4), [])


@pytest.mark.parametrize(("table", "rule"), [("witnesses", "never"), ("trace", "failed")])
def test_units_whose_witness_or_trace_is_damaged_are_done_again(job, tmp_path, table, rule):
    options = RunOptions(tmp_path, local=True)
    folder = run_job(job("data.points=1"), options, Listener()).folder
    before = rows(folder)
    (part, *_) = folder.parts(table)
    part.write_bytes(part.read_bytes()[:1000])
    again = Listener()
    run_job(job("data.points=1"), replace(options, rerun=Rerun(rule)), again)
    assert again.begun is not None
    assert again.begun[1] < 4
    assert [p.path.parent for p in again.problems] == [folder.damaged / table]
    assert rows(folder) == before
    bare = f"select key from results anti join {table} using (key)"
    assert query(folder, bare).rows == ()
    quiet = Listener()
    run_job(job("data.points=1"), options, quiet)
    assert (quiet.begun, quiet.problems) == ((4, 4), [])


def test_what_ended_without_its_limit_satisfies_a_larger_one(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    run_job(job("data.points=1"), options, Listener())
    again = Listener()
    run_job(job("data.points=1", "attack.pgd.time_limit=9min"), options, again)
    assert again.begun == (4, 4)


def test_a_job_of_two_classes_trains_and_attacks_only_these(job, tmp_path):
    options = RunOptions(tmp_path / "runs", local=True)
    result = run_job(job("data.classes=[8, 3]"), options, Listener())
    assert (result.left, result.failed) == (0, 0)
    (path,) = (result.folder.path / "models").glob("*.bnn")
    model = load_model(path)
    data = load_dataset("digits", "test", classes=[8, 3])
    assert (model.dataset, model.network.classes) == ("digits[8,3]", 2)
    assert model.record["test_digest"] == data.digest
    found = query(
        result.folder, "select distinct point, dataset, label, predicted, target from results"
    )
    assert {row[1] for row in found.rows} == {"digits[8,3]"}
    assert {row[0]: row[2] for row in found.rows} == {p: int(data.labels[p]) for p in range(4)}
    assert all(target == 1 - predicted for *_, predicted, target in found.rows)
    more = Listener()
    run_job(job("data.classes=[8, 3, 5]"), options, more)
    assert (more.epochs, more.begun) == (4, (16, 0))


def test_models_by_path_and_a_model_that_does_not_fit(local_run, job, tmp_path, networks):
    (mine,) = (local_run[0].folder.path / "models").glob("*.bnn")
    text = JOB.replace("hidden = [20, 12]", f'path = "{mine}"').replace("train =", "# train =")
    path = tmp_path / "job.toml"
    path.write_text(text)
    listener = Listener()
    result = run_job(load_job(path).job, RunOptions(tmp_path / "runs", local=True), listener)
    assert listener.epochs == 0
    assert rows(result.folder) == rows(local_run[0].folder)

    path.write_text(text.replace(str(mine), str(networks / "mnist_2x100.bnn")))
    with pytest.raises(ModelError, match="the model 'net' does not fit digits"):
        run_job(load_job(path).job, RunOptions(tmp_path / "other", local=True), Listener())
    assert not (tmp_path / "other").exists()


def test_nothing_is_written_before_everything_is_checked(job, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.delenv("BNNRAY_DATA", raising=False)
    options = RunOptions(tmp_path / "runs", local=True)
    with pytest.raises(DataError, match="BNNRAY_DATA"):
        run_job(job("data.dataset=mnist"), options, Listener())
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    with pytest.raises(LicenceError, match="attack 'milp': expected a Gurobi licence"):
        run_job(job("attack.milp.backend=gurobi"), options, Listener())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.points=498", "digits test has 497 points; got 498"),
        ("data.points=[497]", "digits test has points 0 to 496; got 497"),
        ("threat.goal=10", "digits has classes 0 to 9; got 10"),
        ("threat.levels=17", "multiple of the 16 levels of digits"),
        ("threat.mask={top=3, left=0, height=6, width=1}", "inside the image of 8 rows"),
    ],
)
def test_what_the_data_rules_out_is_refused_before_training(job, tmp_path, override, message):
    listener = Listener()
    with pytest.raises(JobError, match=message):
        run_job(job(override), RunOptions(tmp_path / "runs", local=True), listener)
    assert listener.epochs == 0
    assert not (tmp_path / "runs").exists()


def test_auto_runs_on_highs_without_a_gurobi_licence(job, tmp_path, monkeypatch):
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    options = RunOptions(tmp_path / "runs", local=True)
    overrides = ["data.points=1", "threat.epsilon='2/16'", "attack.milp.backend=auto"]
    result = run_job(job(*overrides), options, Listener())
    found = query(result.folder, "select backend, status from results where kind = 'milp'").rows
    assert found == (("highs", "optimal"),)


def test_an_unwritable_place_is_one_line(job):
    """Nobody may make a folder in /proc, not even root."""
    with pytest.raises(StorageError, match="choose a writable place with --runs-dir"):
        run_job(job(), RunOptions(Path("/proc/runs"), local=True), Listener())


def test_a_run_outside_the_main_thread_works(job, tmp_path):
    """As in a notebook's worker: signals cannot be handled there."""
    done: list = []

    def go() -> None:
        options = RunOptions(tmp_path / "runs", local=True)
        done.append(run_job(job("data.points=1"), options, Listener()))

    thread = threading.Thread(target=go)
    thread.start()
    thread.join(60)
    assert done[0].left == 0
