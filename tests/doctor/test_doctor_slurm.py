"""Slurm: away, half there, silent, and what it says; its answers are written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnray.doctor import Level, Setting
from bnnray.doctor.slurm import COMMANDS, check_partition, check_slurm, judge
from bnnray.submit import slurm

RUNS = Path("runs")
NAMED = Setting(RUNS, site="generic")
SILENT = "echo 'error: first' >&2; echo 'fatal: no configuration' >&2; exit 1"


@pytest.fixture
def says(monkeypatch, tmp_path):
    """Commands on a PATH that has no others."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)

    def say(command: str, script: str) -> None:
        (tmp_path / command).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / command).chmod(0o755)

    return say


@pytest.fixture
def cluster(says):
    for command in COMMANDS:
        says(command, "echo slurm 23.11.4")
    says("sinfo", "echo 'main*|up'; echo 'gpu|up'")
    return says


def test_without_slurm(says, monkeypatch):
    assert check_slurm(Setting(RUNS)).level == Level.NOTE
    assert check_slurm(NAMED).level == Level.FAILURE
    assert check_partition(NAMED).level == Level.NOTE
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    found = check_slurm(Setting(RUNS))
    assert (found.level, found.said) == (
        Level.FAILURE,
        "not here: no commands of Slurm on the PATH",
    )


def test_with_some_of_its_commands(says):
    says("sbatch", "echo slurm 23.11.4")
    found = check_slurm(Setting(RUNS))
    assert found.level == Level.FAILURE
    assert found.said == "not on the PATH: srun, squeue, scancel, scontrol"


def test_the_version_and_the_job(cluster, monkeypatch):
    assert check_slurm(NAMED).said == "slurm 23.11.4"
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    assert check_slurm(NAMED).said == "slurm 23.11.4, inside job 41"


@pytest.mark.parametrize("script", [SILENT, "exec /bin/sleep 20"])
def test_a_slurm_that_does_not_answer(cluster, monkeypatch, script):
    monkeypatch.setattr(slurm, "ASK_SECONDS", 0.3)
    for command in ("sbatch", "sinfo"):
        cluster(command, script)
    for check in (check_slurm, check_partition):
        assert check(NAMED).level == Level.FAILURE
        found = check(Setting(RUNS))
        assert found.level == Level.WARNING
        assert "\n" not in found.said
        assert ("fatal: no configuration" in found.said) or ("no answer for 0.3 s" in found.said)


def test_the_partitions_are_those_that_slurm_names(cluster):
    assert check_partition(NAMED).said == "main, of 2"
    assert check_partition(Setting(RUNS, partition="gpu,main")).said == "gpu, main, of 2"


@pytest.mark.parametrize(
    ("states", "wanted", "level", "said"),
    [
        ({"main*": "up"}, None, Level.OK, "main, of 1"),
        ({"main*": "up"}, "man", Level.FAILURE, "no man; there are: main*"),
        ({"main*": "up"}, "main,x", Level.FAILURE, "no x; there are: main*"),
        ({"a": "up", "b": "up"}, None, Level.WARNING, "no default; there are: a, b"),
        ({"a": "up", "b": "drain"}, "b", Level.WARNING, "b is drain; there are: a, b"),
        ({}, None, Level.WARNING, "no default; there are: none"),
    ],
)
def test_partitions(states, wanted, level, said):
    found = judge(states, wanted)
    assert (found.level, found.said) == (level, said)
    assert bool(found.hint) == (level != Level.OK)
