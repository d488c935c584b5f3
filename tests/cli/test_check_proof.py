"""``bnnray check-proof`` on a real run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import duckdb
import pytest

from bnnray.results import find_run
from bnnray.results.tables import write_table

JOB = """
name = "proofs"
[data]
dataset = "digits"
points = 6
[[model]]
name = "1x20"
hidden = [20, 20]
train = { epochs = 3 }
[threat]
epsilon = ["1/16", 0.08]
domain = "box"
[[attack]]
kind = "exact"
proof = true
[[attack]]
kind = "exact"
name = "flip"
stop = "flip"
time_limit = "10s"
"""


def bnnray(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bnnray.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proofs")
    (folder / "job.toml").write_text(JOB)
    done = bnnray("run", "job.toml", "--local", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_proofs_of_a_run_hold(folder):
    done = bnnray("check-proof", "proofs", folder=folder)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 12
    assert all("holds: objective <= " in line for line in lines)
    assert last == "12 proofs hold, 0 do not"
    found = json.loads(bnnray("check-proof", "proofs", "--json", folder=folder).stdout)
    assert [proof["holds"] for proof in found] == [True] * 12


def test_one_unit_is_named_by_how_its_key_begins(folder):
    every = bnnray("check-proof", "proofs", folder=folder).stdout.splitlines()
    key = every[0].split()[0]
    one = bnnray("check-proof", "proofs", key[:12], folder=folder)
    assert one.stdout.splitlines() == [every[0], "1 proofs hold, 0 do not"]
    none = bnnray("check-proof", "proofs", "nothing", folder=folder)
    assert none.returncode == 2
    assert none.stderr == "bnnray: expected the key of a unit with a proof; got nothing\n"


def test_a_tampered_proof_is_refused_with_its_own_exit_code(folder, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "runs")
    run = find_run("proofs", tmp_path / "runs")
    for part in run.parts("proofs"):
        rows = duckdb.connect().execute(f"select * from read_parquet('{part}')").fetchall()
        changed = [
            {"key": k, "finished_at": at, "text": re.sub("(?m)^bound .+$", "bound -999", text)}
            for k, at, text in rows
        ]
        write_table(part, "proofs", changed)
    done = bnnray("check-proof", "proofs", folder=tmp_path)
    assert done.returncode == 4
    assert "line " in done.stdout
    assert done.stdout.splitlines()[-1].endswith("do not")
    assert done.stderr == ""


def test_a_run_without_proofs_says_how_to_get_them(tmp_path):
    job = JOB.replace("proof = true\n", "").replace("epochs = 3", "epochs = 1")
    (tmp_path / "job.toml").write_text(job)
    assert bnnray("run", "job.toml", "--local", folder=tmp_path).returncode == 0
    done = bnnray("check-proof", "proofs", folder=tmp_path)
    assert done.returncode == 2
    assert "proof = true" in done.stderr
