"""The command line as a user meets it: help, exit codes, one line for a mistake."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer.testing

from bnnray.cli.main import app

COMMANDS = [
    "run", "submit", "status", "logs", "cancel", "dashboard", "query", "report", "show", "compare",
    "export", "list", "jobs", "compact", "check-proof", "verify", "train", "import", "config",
    "init", "doctor", "warmup", "version"
]  # fmt: skip

JOB = """
name = "small"
[data]
dataset = "digits"
points = 2
[[model]]
name = "net"
hidden = [8]
train = { epochs = 1 }
[threat]
epsilon = "1/16"
domain = "grid"
[[attack]]
kind = "pgd"
iterations = 3
[[attack]]
kind = "milp"
backend = "highs"
"""


def bnnray(*arguments: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bnnray.cli.main", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a job that has run."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "small.toml").write_text(JOB)
    bnnray("run", "small.toml", "--local", folder=folder)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = typer.testing.CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: bnnray {command}" in " ".join(result.output.split())


def test_the_commands_are_these():
    assert [c.name for c in app.registered_commands] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_docs(command):
    root = Path(__file__).parents[2]
    assert f"bnnray {command}" in (root / "docs" / "contract.md").read_text()


def test_run_ends_with_the_table_and_where_the_results_are(place):
    done = bnnray("run", "small.toml", "--local", folder=place)
    assert "4 of 4 units are done already" in done.stderr
    header, *lines = done.stdout.splitlines()
    names = ["model", "epsilon", "attack", "points", "flipped", "%", "proven", "%", "median", "s"]
    assert header.split() == names
    assert [line.split()[:4] for line in lines[:2]] == [
        ["net", "0.0625", "pgd", "2"],
        ["net", "0.0625", "milp", "2"],
    ]
    (hint,) = [line for line in lines if line.startswith("Results are in")]
    assert 'bnnray query runs/small "select' in hint


def test_query_prints_tables_csv_and_json(place):
    sql = "select attack, count(*) as n from results group by all order by attack"
    table = bnnray("query", "small", sql, folder=place).stdout
    assert [line.split() for line in table.splitlines()] == [
        ["attack", "n"],
        ["milp", "2"],
        ["pgd", "2"],
    ]
    text = bnnray("query", "small", sql, "--format", "csv", folder=place).stdout
    assert list(csv.reader(io.StringIO(text))) == [["attack", "n"], ["milp", "2"], ["pgd", "2"]]
    text = bnnray("query", "small", sql, "--format", "json", folder=place).stdout
    assert json.loads(text) == [{"attack": "milp", "n": 2}, {"attack": "pgd", "n": 2}]
    twice = "select 1 as n, 2 as n, 3 as n_2, 4 as n"
    text = bnnray("query", "small", twice, "--format", "json", folder=place).stdout
    assert json.loads(text) == [{"n": 1, "n_3": 2, "n_2": 3, "n_4": 4}]
    everything = bnnray("query", "small", "select * from results", folder=place).stdout
    assert len(everything.splitlines()) == 5


def test_a_run_is_compacted_and_a_torn_file_is_one_warning(place):
    text = JOB.replace('name = "small"', 'name = "torn"')
    (place / "torn.toml").write_text(text)
    sql = "select count(*) from results"
    for overrides in (["--set", "data.points=1"], []):
        bnnray("run", "torn.toml", "--local", *overrides, folder=place)
    run = place / "runs" / "torn"
    results = run / "results"
    parts = len(list(run.glob("*/part-*.parquet")))
    assert parts >= 6, "a slow run writes more than one part of each table"
    assert f"{parts} files became 3" in bnnray("compact", "torn", folder=place).stdout
    assert "3 files became 3" in bnnray("compact", "torn", folder=place).stdout
    done = bnnray("query", "torn", sql, "--format", "csv", folder=place)
    assert (done.stdout.split(), done.stderr) == (["count_star()", "4"], "")

    (part,) = results.iterdir()
    part.write_bytes(part.read_bytes()[:-10])
    done = bnnray("query", "torn", sql, "--format", "csv", folder=place)
    assert done.stdout.split() == ["count_star()", "0"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("bnnray: warning: ")
    assert f"{part.name} (not Parquet, or cut off)" in line
    done = bnnray("run", "torn.toml", "--local", folder=place)
    assert "bnnray: warning: " in done.stderr
    assert "archive/damaged" in done.stderr
    done = bnnray("run", "torn.toml", "--local", "--rerun", "all", folder=place)
    assert "warning" not in done.stderr
    archived = "select reason, count(*) from archived group by all"
    done = bnnray("query", "torn", archived, "--format", "json", folder=place)
    assert json.loads(done.stdout) == [{"reason": "rerun", "count_star()": 4}]


def test_config_says_where_values_come_from(place):
    arguments = ["config", "small.toml", "--resolved", "--set", "data.points=1"]
    lines = bnnray(*arguments, folder=place).stdout.splitlines()
    found = {line.split()[0]: line for line in lines}
    assert found["data.points"].split() == ["data.points", "1", "#", "flag"]
    assert found["threat.domain"].endswith("'grid'  # job")
    assert found["attack.pgd.surrogate"].endswith("'hardtanh'  # default")
    assert "small.toml is a valid job" in bnnray("config", "small.toml", folder=place).stdout
    listed = json.loads(bnnray(*arguments, "--json", folder=place).stdout)
    assert {"place": "data.points", "value": 1, "origin": "flag"} in listed


def test_version_names_the_packages(place):
    text = bnnray("version", folder=place).stdout
    for name in ("bnnray", "python", "torch", "ray", "highspy", "gurobipy"):
        assert name in text
    assert set(json.loads(bnnray("version", "--json", folder=place).stdout)) >= {"torch", "commit"}


def test_train_and_import_write_models_that_run(place):
    arguments = ["train", "digits", "--hidden", "12,8", "--epochs", "1", "-o", "own.bnn"]
    assert "own.bnn: test accuracy" in bnnray(*arguments, folder=place).stdout
    rng = np.random.default_rng(0)
    weights = {
        "W0": rng.choice([-1, 1], size=(6, 64)).astype(np.int8),
        "W1": rng.choice([-1, 0, 1], size=(10, 6)).astype(np.int8),
        "threshold0": np.arange(6),
        "levels": np.array(16),
    }
    np.savez(place / "net.npz", **weights)
    arguments = ["import", "net.npz", "--dataset", "digits", "-o", "foreign.bnn"]
    assert "foreign.bnn: 6, 10 classes" in bnnray(*arguments, folder=place).stdout
    text = JOB.replace('name = "small"', 'name = "paths"').replace("train =", "# train =")
    for model in ("own", "foreign"):
        job = text.replace("hidden = [8]", f'path = "{model}.bnn"').replace("paths", model)
        (place / f"{model}.toml").write_text(job)
        assert "100" in bnnray("run", f"{model}.toml", "--local", folder=place).stdout


def test_train_on_some_classes_and_attack_the_network(place):
    arguments = ["train", "digits", "--hidden", "12", "--epochs", "1", "--classes", "3,8"]
    assert "two.bnn: test accuracy" in bnnray(*arguments, "-o", "two.bnn", folder=place).stdout
    text = JOB.replace("hidden = [8]", 'path = "two.bnn"').replace("train =", "# train =")
    (place / "two.toml").write_text(text.replace('name = "small"', 'name = "two"'))
    done = bnnray("run", "two.toml", "--local", folder=place, code=2)
    assert "does not fit digits: " in done.stderr
    bnnray("run", "two.toml", "--local", "--set", "data.classes=[3, 8]", folder=place)
    sql = "select distinct dataset from results"
    found = bnnray("query", "two", sql, "--format", "json", folder=place).stdout
    assert json.loads(found) == [{"dataset": "digits[3,8]"}]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "none.toml"], 2, "no job file none.toml"),
        (["run", "small.toml", "--set", "threat.epsilon=7"], 2, "epsilon must be a number from 0"),
        (["run", "small.toml", "--set", "attack.milp.bakend=highs"], 2, "did you mean 'backend'"),
        (["run", "small.toml", "--set", "data.dataset=mnist", "--local"], 3, "mnist"),
        (["run", "small.toml", "--local", "--runs-dir", "/proc/x"], 3, "choose a writable place"),
        (["query", "nothing", "select 1"], 2, "there are: "),
        (["compact", "nothing"], 2, "there are: "),
        (["query", "small", "select nothing"], 2, "the query failed"),
        (["train", "mnits", "--hidden", "9", "-o", "x.bnn"], 2, "did you mean 'mnist'"),
        (["train", "digits", "--hidden", "a,b", "-o", "x.bnn"], 2, "--hidden must be widths"),
        (["train", "digits", "--hidden", "9", "--classes", "3", "-o", "x.bnn"], 2, "two different"),
        (["train", "digits", "--hidden", "9", "--classes", "a", "-o", "x.bnn"], 2, "such as 3,8"),
        (["run", "small.toml", "--set", "data.classes=[3, 10]", "--local"], 2, "digits's 0 to 9"),
        (["import", "none.npz", "-o", "x.bnn"], 2, "none.npz"),
        (["import", "small.toml", "-o", "x.bnn"], 2, "not an .npz file"),
        (["config", "small.toml", "--set", "x"], 2, "--set takes place=value"),
        (["run", "small.toml", "--local", "--dashboard"], 2, "leave one of them out"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(place, arguments, code, message, monkeypatch):
    monkeypatch.delenv("BNNRAY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    done = bnnray(*arguments, folder=place, code=code)
    assert message in done.stderr
    assert done.stderr.startswith("bnnray: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (place / "x.bnn").exists()


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--nonsense"], ["run", "small.toml", "--rerun", "now"], ["fly"]]
)
def test_wrong_usage_is_exit_code_2(place, arguments):
    assert "Traceback" not in bnnray(*arguments, folder=place, code=2).stderr


def test_a_bug_is_reported_as_one(place, monkeypatch):
    """A failure that is nobody's mistake keeps its traceback, and exit code 70."""
    code = (
        "import bnnray.job, bnnray.cli.main as m, sys\n"
        "def broken(*_): raise ZeroDivisionError('oops')\n"
        "bnnray.job.load_job = broken\n"
        "sys.argv = ['bnnray', 'config', 'small.toml']\n"
        "m.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 70
    assert "ZeroDivisionError: oops" in done.stderr
    assert "this is a bug in bnnray" in done.stderr
