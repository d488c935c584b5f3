"""Commands that read a run: what they print, write and refuse."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from known_runs import FLIP, ROBUST, make_run, unit
from typer.testing import CliRunner

from bnnray.cli.main import app
from bnnray.cli.options import complete_run
from bnnray.logs import Log, LogSettings
from bnnray.logs import logging_to as writing


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Two runs that contradict each other, and one that has nothing."""
    folder = tmp_path_factory.mktemp("runs")
    units = [unit(0, **FLIP), unit(1, point=1, attack="pgd"), unit(2, point=1, **FLIP)]
    make_run(folder / "one", units, {"0000": [(0.0, -10), (0.1, 5)]})
    make_run(folder / "two", [unit(0, **ROBUST)])
    make_run(folder / "empty", [])
    crash = {"status": "crashed", "message": "it fell", "host": "n7"}
    keys = make_run(
        folder / "keys", [unit(0, key="c0ffee00" * 4), unit(1, key="c0ffee01" * 4, **crash)]
    )
    with writing(LogSettings(keys.path / "logs"), "driver"):
        Log("tests").warning("slot_died", key="c0ffee01" * 4, stderr="Fatal:\n  in here")
    return folder


def invoke(runs: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--runs-dir", str(runs)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_report_writes_a_page_figures_and_json(runs, tmp_path):
    page, figures = tmp_path / "r.html", tmp_path / "figures"
    said = invoke(runs, "report", "one", "-o", str(page), "--figures", str(figures))
    assert "figures of 3 units" in said
    assert page.read_text().startswith("<!doctype html>")
    names = {path.name for path in figures.iterdir()}
    assert {"flip_rates.png", "flip_rates.pdf", "verdicts.png"} <= names
    found = json.loads(invoke(runs, "report", "one", "--json"))
    assert found["statistics"][0]["vulnerable"] == 2
    invoke(runs, "report", "empty", "-o", str(page))
    assert "No unit is finished yet" in page.read_text()


def test_show_lists_every_answer_about_a_point(runs):
    lines = invoke(runs, "show", "one", "1").splitlines()
    assert lines[0] == "point 1, label 1, domain box"
    assert [line.split()[2:4] for line in lines[2:]] == [["pgd", "unknown"], ["milp", "vulnerable"]]
    found = json.loads(invoke(runs, "show", "one", "1", "--json"))
    assert [answer["attack"] for answer in found] == ["pgd", "milp"]


def test_show_tells_all_about_a_unit(runs):
    said = invoke(runs, "show", "keys", "c0ffee01")
    lines = [line.split(maxsplit=1) for line in said.splitlines()]
    assert lines[0] == ["unit", "c0ffee01" * 4]
    for fact in (["attack", "milp"], ["status", "crashed"], ["message", "it fell"], ["host", "n7"]):
        assert fact in lines
    assert "WARNING" in said
    assert "      Fatal:\n        in here\n" in said
    assert said.endswith(f"bnnray run {runs}/keys/job.toml --runs-dir {runs}\n")
    found = json.loads(invoke(runs, "show", "keys", "c0ffee01", "--json"))
    assert (found["row"]["status"], found["log"][0]["name"]) == ("crashed", "slot_died")


def test_logs_of_a_run_without_slurm_are_its_events(runs):
    for arguments in ([], ["--events"], ["--host", platform.node()], ["-f"]):
        (line,) = invoke(runs, "logs", "keys", *arguments).splitlines()
        assert "event=slot_died key=c0ffee01" in line
    invoke(runs, "logs", "keys", "--host", "elsewhere", code=1)


def test_compare_ends_with_4_where_answers_contradict(runs):
    said = invoke(runs, "compare", "one", "two", code=4)
    assert said.startswith("contradiction: robust against vulnerable: net, point 0, epsilon 0.1")
    assert json.loads(invoke(runs, "compare", "one", "two", "--json", code=4))["total"] == 1
    assert "2 questions, 0 contradictions" in invoke(runs, "compare", "one")
    assert json.loads(invoke(runs, "compare", "one", "--json"))["total"] == 0


def test_export_writes_csv(runs, tmp_path):
    path = tmp_path / "a.csv"
    assert f"{path}: 3 rows" in invoke(runs, "export", "one", "--csv", str(path))
    assert len(path.read_text().splitlines()) == 4


def test_list_and_jobs(runs, tmp_path):
    lines = invoke(runs, "list").splitlines()
    assert sorted(line.split()[0] for line in lines[1:]) == ["empty", "keys", "one", "two"]
    found = {run["name"]: run for run in json.loads(invoke(runs, "list", "--json"))}
    assert (found["one"]["done"], found["one"]["flips"], found["two"]["proofs"]) == (3, 2, 1)
    assert "no runs in" in invoke(tmp_path, "list")
    (tmp_path / "b.toml").write_text('# What it is for.\nname = "b"\n')
    (tmp_path / "a.toml").write_text('name = "a"\n')
    result = CliRunner().invoke(app, ["jobs", str(tmp_path), "--json"])
    assert [job["about"] for job in json.loads(result.stdout)] == ["", "What it is for."]


def test_every_job_that_comes_along_says_what_it_is_for():
    jobs = Path(__file__).parents[2] / "jobs"
    result = CliRunner().invoke(app, ["jobs", str(jobs), "--json"])
    assert all(job["about"] for job in json.loads(result.stdout))


def test_query_writes_parquet(runs, tmp_path):
    path, sql = tmp_path / "a.parquet", "select key, point, 1 as key from results order by all"
    invoke(runs, "query", "one", sql, "--format", "parquet", "-o", str(path))
    assert pq.read_table(path).to_pydict() == {
        "key": ["0000", "0001", "0002"],
        "point": [0, 1, 1],
        "key_2": [1, 1, 1],
    }
    found = json.loads(invoke(runs, "query", "one", "select 1 as n", "--json"))
    assert found == [{"n": 1}]


def test_names_of_runs_are_completed(runs, monkeypatch):
    monkeypatch.setenv("BNNRAY_RUNS", str(runs))
    assert complete_run("") == ["empty", "keys", "one", "two"]
    assert complete_run("o") == ["one"]


def bnnray(runs: Path, *arguments: str, code: int, **environment: str):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bnnray.cli.main", *arguments],
        cwd=runs.parent,
        env=os.environ | {"BNNRAY_RUNS": str(runs), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["querry"], "Did you mean 'query'? (see bnnray --help)"),
        (["query", "one"], "Missing argument 'sql' (see bnnray query --help)"),
        (["status", "--interval", "x", "one"], "Invalid value for '--interval'"),
        (["report", "onee"], "there are: empty, keys, one, two"),
        (["report", "one", "-o", "no/such/r.html"], "cannot write no/such/r.html"),
        (["show", "one", "99"], "got 99; there are 2, from 0 to 1"),
        (["show", "one", "77", "--png", "x.png"], "got 77"),
        (["show", "one", "abc"], "expected a point, of at most 5 digits, or a unit's key"),
        (["show", "one", "abcdef"], "no unit of "),
        (["show", "keys", "c0ffee"], "2 units have keys that begin with c0ffee"),
        (["show", "keys", "c0ffee", "--png", "x.png"], "--png draws the flips of a point"),
        (["logs", "one"], "has no events: a run logs them from its start on"),
        (["export", "one"], "expected what to write: --csv FILE"),
        (["export", "empty", "--npz", "x.npz"], "has no witnesses yet"),
        (["query", "one", "select 1", "--format", "parquet"], "--format parquet and -o FILE go"),
        (["query", "one", "selekt", "--format", "parquet", "-o", "x"], "the query failed"),
        (["jobs", "nowhere"], "expected a folder with job files, got nowhere"),
    ],
)
def test_a_mistake_is_one_line(runs, arguments, message):
    done = bnnray(runs, *arguments, code=3 if "cannot write" in message else 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("bnnray: ")
    assert message in line
    assert not list(runs.parent.glob("x*"))


def test_the_command_alone_says_what_to_do_first(runs):
    done = bnnray(runs, code=0)
    assert "bnnray run jobs/quickstart.toml" in done.stdout
    assert len(done.stdout.splitlines()) < 10


def test_the_shell_can_complete(runs):
    done = bnnray(
        runs,
        code=0,
        _BNNRAY_COMPLETE="complete_bash",
        COMP_WORDS="bnnray rep",
        COMP_CWORD="1",
    )
    assert done.stdout.split() == ["report"]
