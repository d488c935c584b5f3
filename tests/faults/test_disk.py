"""A run folder that fills up or becomes read-only: a clear message, and nothing is lost.

The folder is a small file system of its own, in a mount namespace of the test's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import UNITS, answers, finish, prepare, start

SCRIPT = """
set -u
mount -t tmpfs -o size={size} none runs
{meanwhile}
{run} > first.out 2> first.err
echo $? > first.code
{relief}
cp -r runs between
{run} > second.out 2> second.err
echo $? > second.code
cp -r runs after
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    prepare(folder)
    finish(start(folder, "job.toml", "--local", "--runs-dir", "undisturbed"))
    return folder


def in_own_namespace(folder: Path, how: str, **script: str) -> None:
    """Runs the job twice on a file system that is mounted for it."""
    run = f"{sys.executable} -m bnnray.cli.main run job.toml {how} --runs-dir runs"
    (folder / "script.sh").write_text(SCRIPT.format(run=run, **script))
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "bash", "script.sh"],
        cwd=folder,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place(folder, tmp_path) -> Path:
    for name in ("net.bnn", "job.toml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "runs").mkdir()
    return tmp_path


@pytest.mark.parametrize("how", ["--local", ""], ids=["local", "ray"])
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(folder, place, how):
    in_own_namespace(
        place,
        how,
        size="64m",
        meanwhile=FILL_UP,
        relief="rm runs/ballast",
    )
    check(folder, place, "No space left on device")


@pytest.mark.parametrize("how", ["--local", ""], ids=["local", "ray"])
def test_a_folder_that_becomes_read_only_is_one_line(folder, place, how):
    in_own_namespace(
        place,
        how,
        size="64m",
        meanwhile=WHEN_UNITS_RUN.format(then=READ_ONLY),
        relief="umount runs",
    )
    check(folder, place, "Read-only file system")


WHEN_UNITS_RUN = """
(until ls runs/disturbed/units.parquet > /dev/null 2>&1; do sleep 0.05; done; sleep 0.3; {then}) &
"""
READ_ONLY = "mount --bind runs runs; mount -o remount,bind,ro runs"
"""The file system itself stays writable while logs are open in it."""

FILL_UP = WHEN_UNITS_RUN.format(then="cat /dev/zero > runs/ballast 2> /dev/null")


def check(folder: Path, place: Path, reason: str) -> None:
    """The first run ended with the reason, the second did what was left."""
    error = (place / "first.err").read_text()
    assert (place / "first.code").read_text() == "3\n", error
    last = error.strip().splitlines()[-1]
    assert last.startswith("bnnray: cannot write ")
    assert reason in last
    assert "Traceback" not in error
    assert len(answers(place, "between")) < UNITS
    assert (place / "second.code").read_text() == "0\n", (place / "second.err").read_text()
    assert answers(place, "after") == answers(folder, "undisturbed")
