"""``kill -9`` of anything at random moments: the final table is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from runs import UNITS, answers, finish, prepare, processes, start, wait_for

ROUNDS = 20
VICTIMS = ["slot or solver", "nursery", "keeper", "sink", "raylet", "driver"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder) -> list[tuple]:
    finish(start(folder, "job.toml", "--local", "--runs-dir", "undisturbed"))
    rows = answers(folder, "undisturbed")
    assert len(rows) == UNITS
    return rows


@pytest.mark.timeout(600)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_whatever_is_killed_nothing_is_lost_or_changed(folder, undisturbed, round_):
    chance = random.Random(round_)
    victim = VICTIMS[round_ % len(VICTIMS)]
    for attempt in range(4):
        runs = f"round{round_}-{attempt}"
        process = start(folder, "job.toml", "--runs-dir", runs)
        killed = kill_one(process, folder / runs, victim, chance, 4 / 2**attempt)
        _, err = process.communicate(timeout=280)
        if killed:
            break
    assert killed, "each run was over before anything was killed"
    if process.returncode != 0:
        assert victim in ("driver", "raylet"), err
        finish(start(folder, "job.toml", "--runs-dir", runs))
    assert answers(folder, runs) == undisturbed


def kill_one(
    process: subprocess.Popen[str], runs: Path, victim: str, chance: random.Random, longest: float
) -> bool:
    """Kills one of the run's processes while its units run; False if the run was over."""
    units = runs / "disturbed" / "units.parquet"
    wait_for(lambda: units.exists() and victim in processes(process.pid), process)
    time.sleep(chance.uniform(0, longest))
    victims = processes(process.pid).get(victim, [])
    if process.poll() is not None or not victims:
        return False
    os.kill(chance.choice(victims), signal.SIGKILL)
    return True
