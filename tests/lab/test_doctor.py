"""``bnnray doctor`` on the login node of a real Slurm, and inside an allocation."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

DOCTOR = [sys.executable, "-m", "bnnray.cli.main", "doctor", "--json", "--site"]


def doctor(lab, *before: str, site: str = "lab") -> dict[str, Any]:
    """What it finds, by the checks' names."""
    found = json.loads(lab.run(*before, *DOCTOR, site, check=False).stdout)
    return {**{c["check"]: c for c in found["checks"]}, "host": found["host"]}


def test_the_login_node(lab):
    found = doctor(lab)
    assert found["host"] == "login"
    assert found["slurm"]["level"] == "ok"
    assert found["partition"]["said"] == "main, of 1"
    assert found["scratch"]["said"].startswith("/mnt on the nodes")


def test_inside_an_allocation(lab):
    found = doctor(lab, "srun", "-n1", "-w", "n2")
    assert found["host"] == "n2"
    assert ", inside job " in found["slurm"]["said"]
    assert found["scratch"]["said"].startswith("/mnt/bnnray-")
    assert found["scratch"]["level"] == "ok"
    assert "; Slurm gave 1" in found["cores"]["said"] or len(os.sched_getaffinity(0)) == 1
    assert lab.run("ls", "-A", "/mnt", node="n2").stdout == ""
