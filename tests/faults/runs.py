"""Whole runs by the command line, to be disturbed: a job of some seconds with known answers."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bnnray.results import find_run, query

TRAINING = """
name = "trained"
[data]
dataset = "digits"
points = 1
[[model]]
name = "net"
hidden = [20, 12]
train = { epochs = 4 }
[threat]
epsilon = ["1/16"]
[[attack]]
kind = "pgd"
iterations = 1
restarts = 1
"""

JOB = """
name = "disturbed"
[data]
dataset = "digits"
points = 15
[[model]]
name = "net"
path = "net.bnn"
[threat]
epsilon = ["1/16", "2/16"]
domain = "grid"
[[attack]]
kind = "pgd"
iterations = 20
restarts = 5
time_limit = "5min"
[[attack]]
kind = "iprop"
backend = "highs"
subproblem_time_limit = "2min"
subproblem_patience = "off"
record = true
time_limit = "5min"
[[attack]]
kind = "milp"
backend = "highs"
time_limit = "5min"
"""
UNITS = 90

ANSWERS = """
select key, verdict, proof, status, objective, bound, flipped, target, seed, linf, l0, iterations
from results order by key
"""
"""What must not depend on anything that happens to a run."""

TWICE = """
select (select count(*) - count(distinct key) from results)
     + (select count(*) from (select key, iteration, seconds, objective, bound from trace
                              group by all having count(*) > 1))
     + (select count(*) - count(distinct key) from witnesses)
     + (select count(*) from (select key, iteration, layer from subproblems
                              group by all having count(*) > 1))
"""


def prepare(folder: Path) -> None:
    """Trains the network of the job and writes both into a folder."""
    (folder / "training.toml").write_text(TRAINING)
    process = start(folder, "training.toml", "--local")
    finish(process)
    (model,) = (folder / "runs" / "trained" / "models").glob("*.bnn")
    (folder / "net.bnn").write_bytes(model.read_bytes())
    (folder / "job.toml").write_text(JOB)


def start(folder: Path, job: str = "job.toml", *arguments: str) -> subprocess.Popen[str]:
    """Starts ``bnnray run`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "bnnray.cli.main", "run", job, *arguments],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Waits for a run's end; what it wrote to standard error."""
    _, err = process.communicate(timeout=280)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return err


def answers(folder: Path, runs: str = "runs") -> list[tuple]:
    """The rows of the results, without times; each unit once."""
    run = find_run("disturbed", folder / runs)
    assert query(run, TWICE).rows == ((0,),)
    return list(query(run, ANSWERS).rows)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Whether something became true before the process ended."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.02)
    return False


def processes(driver: int) -> dict[str, list[int]]:
    """The processes of a run by what they are: pids of drivers, raylets, sinks and so on."""
    found: dict[str, list[int]] = {"driver": [driver]}
    for process in _offspring(driver):
        kind = _kind(process)
        if kind:
            found.setdefault(kind, []).append(process.pid)
    return found


KINDS = {
    r".*raylet/raylet$": "raylet",
    r"ray::(KeeperActor|.* points? \d)": "keeper",
    r"ray::SinkActor": "sink",
}
"""Ray names an actor's process after what runs in it."""

NURSE = "bnnray.processes.nurse"


def _kind(process: psutil.Process) -> str:
    command = _command(process)
    if NURSE in command:
        parent = process.parent()
        return "slot or solver" if parent and NURSE in _command(parent) else "nursery"
    title = command[0] if command else ""
    return next((kind for pattern, kind in KINDS.items() if re.match(pattern, title)), "")


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
