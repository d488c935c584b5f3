"""A job in the lab: submitted, watched, disturbed, and looked at when it is over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slurm_lab import Lab

from bnnray.results import find_run, query

# Each unit takes its two seconds, however fast the machine is.
JOB = """
name = "{name}"
[data]
dataset = "digits"
points = {points}
[[model]]
name = "net"
path = "net.bnn"
[threat]
epsilon = ["2/16", "3/16"]
domain = "box"
[[attack]]
kind = "milp"
time_limit = "2s"
formulation = "paper"
backend = "highs"
"""
COMMAND = [sys.executable, "-m", "bnnray.cli.main"]


class Campaign:
    """A job of the lab.

    Args:
        lab: where.
        home: a folder that all nodes see, with the job's network.
        name: of the job.
    """

    def __init__(self, lab: Lab, home: Path, name: str) -> None:
        self.lab = lab
        self.home = home
        self.name = name
        self.folder = home / "runs" / name
        self.job = ""
        self.units = 0

    def bnnray(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of bnnray on the login node."""
        return self.lab.run(*COMMAND, *arguments, folder=self.home, check=check, timeout=300)

    def submit(
        self, *arguments: str, points: int = 12, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Writes the job file and submits it."""
        self.units = 2 * points
        text = JOB.format(name=self.name, points=points)
        (self.home / f"{self.name}.toml").write_text(text)
        done = self.bnnray("submit", f"{self.name}.toml", "--site", "lab", *arguments, check=check)
        if done.returncode == 0:
            self.job = done.stdout.split("Slurm job ")[1].split()[0]
        return done

    def status(self) -> dict[str, Any]:
        """What ``bnnray status`` says."""
        found: dict[str, Any] = json.loads(self.bnnray("status", self.name, "--json").stdout)
        return found

    def state(self) -> str:
        """Slurm's word for the job's state."""
        return self.show("JobState")

    def show(self, field: str) -> str:
        """A field of what Slurm shows about the job."""
        text = self.lab.run("scontrol", "show", "job", self.job).stdout
        return next(w.split("=", 1)[1] for w in text.split() if w.startswith(f"{field}="))

    @property
    def log(self) -> str:
        """What the batch script and the driver said so far."""
        path = self.folder / "slurm" / f"slurm-{self.job}.out"
        return path.read_text() if path.exists() else ""

    @property
    def node_log(self) -> str:
        """What the nodes said so far."""
        path = self.folder / "slurm" / f"{self.job}.nodes.log"
        return path.read_text() if path.exists() else ""

    def rows(self) -> int:
        """Rows on disk."""
        if not list(self.folder.glob("results/part-*.parquet")):
            return 0
        return int(
            query(find_run(str(self.folder), self.home), "select count(*) from results").rows[0][0]
        )

    def wait_for(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        """Waits until something became true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{self.log}\n--- nodes\n{self.node_log}"
            time.sleep(0.5)

    def wait_for_work(self) -> None:
        """Waits until the job has written results, and is not done."""
        self.wait_for(lambda: self.rows() > 0 or self.over())
        assert not self.over(), f"it ended too soon:\n{self.log}\n--- nodes\n{self.node_log}"

    def over(self) -> bool:
        """Whether Slurm has ended the job for good."""
        return self.state() in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")

    def wait_for_restart(self) -> None:
        """Waits until the job is to be run again, and has it begin at once."""
        self.wait_for(lambda: self.show("Restarts") != "0" and self.state() != "COMPLETING")
        self.lab.run("scontrol", "update", f"JobId={self.job}", "StartTime=now", check=False)

    def wait_for_end(self, state: str = "COMPLETED", seconds: float = 400) -> None:
        """Waits for the job's end."""
        self.wait_for(self.over, seconds)
        assert self.state() == state, f"{self.log}\n--- nodes\n{self.node_log}"

    def check_complete(self) -> Counter[str]:
        """Every unit is there exactly once; the rows of each node."""
        run = find_run(str(self.folder), self.home)
        every, different = query(run, "select count(*), count(distinct key) from all_results").rows[
            0
        ]
        listed = query(run, "select count(*) from units").rows[0][0]
        assert (every, different, listed) == (self.units, self.units, self.units), self.log
        hosts = query(run, "select host, count(*) from results group by all").rows
        return Counter(dict(hosts))

    def end(self) -> None:
        """Ends the job if it is still there, and waits until it is gone."""
        if self.job:
            self.lab.run("scancel", self.job, check=False)
            deadline = time.monotonic() + 60
            while not self.over() and time.monotonic() < deadline:
                time.sleep(0.5)
