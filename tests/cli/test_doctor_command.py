"""``bnnray doctor`` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from bnnray.doctor import CHECKS

COMMAND = [sys.executable, "-m", "bnnray.cli.main", "doctor"]


def doctor(*arguments: str, folder, **environment: str) -> subprocess.CompletedProcess[str]:
    names = {"SLURM_JOB_ID", "BNNRAY_SITE", "BNNRAY_RUNS", "GRB_LICENSE_FILE"}
    kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**kept, "XDG_CONFIG_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_line_a_check_with_hints_and_exit_code_1(tmp_path):
    (tmp_path / "old.lic").write_text("TYPE=NODE\nEXPIRATION=2020-01-31\n")
    faults = {
        "TMPDIR": str(tmp_path / ("long" * 9)),
        "GRB_LICENSE_FILE": "old.lic",
        "PATH": str(tmp_path),
    }
    done = doctor("--runs-dir", "/proc/runs", "--site", "generic", folder=tmp_path, **faults)
    assert (done.returncode, done.stderr) == (1, "")
    title, *lines, summary = done.stdout.splitlines()
    marked = {line[5:19].strip(): line[:5].strip() for line in lines if line[:1] != " "}
    assert title
    assert list(marked) == list(CHECKS)
    failed = {name for name, mark in marked.items() if mark == "FAIL"}
    assert failed >= {"slurm", "run folder", "temp dir", "gurobi"}
    assert set(marked.values()) <= {"ok", "note", "warn", "FAIL"}
    assert summary.startswith(f"{len(CHECKS)} checks: {len(failed)} FAIL, ")
    assert "Traceback" not in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.lic"]


def test_json_is_one_object(tmp_path):
    found = json.loads(doctor("--json", folder=tmp_path, SLURM_JOB_ID="41").stdout)
    assert found["slurm_job"] == "41"
    assert [check["check"] for check in found["checks"]] == list(CHECKS)
    levels = {check["level"] for check in found["checks"]}
    assert found["ok"] == ("failure" not in levels)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_site_is_one_line(tmp_path):
    done = doctor("--site", "genric", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bnnray: unknown site 'genric'; did you mean 'generic'?")


@pytest.mark.parametrize("name", ["numpy", "torch", "packaging"])
def test_a_missing_package_is_a_finding(tmp_path, name):
    code = (
        f"import sys; sys.modules[{name!r}] = None; sys.argv = ['bnnray', 'doctor', '--json']\n"
        "from bnnray.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert name in done.stdout
    assert len(json.loads(done.stdout)["checks"]) == len(CHECKS)
