"""``kill -9`` of anything at random moments: the final table is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
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
    runs = f"round{round_}"
    process = start(folder, "job.toml", "--runs-dir", runs)
    wait_for(lambda: victim in processes(process.pid), process)
    time.sleep(chance.uniform(0, 6))
    victims = processes(process.pid).get(victim, [])
    if victims and process.poll() is None:
        os.kill(chance.choice(victims), signal.SIGKILL)
    _, err = process.communicate(timeout=280)
    if process.returncode != 0:
        assert victim in ("driver", "raylet"), err
        again = finish(start(folder, "job.toml", "--runs-dir", runs))
        assert "Traceback" not in again
    assert answers(folder, runs) == undisturbed
