"""A file system of a test's own, in a mount namespace of its own, as no other fault is real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bnnray.doctor import Finding, Level

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
CHECK = """
import dataclasses, json, pathlib, sys
from bnnray.doctor import CHECKS, Setting
found = CHECKS[sys.argv[1]](Setting(pathlib.Path("runs")))
print(json.dumps(dataclasses.asdict(found)))
"""


def check_with(folder: Path, mount: str, check: str) -> Finding:
    """What a check finds when ``runs`` in a folder was mounted so."""
    if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("user and mount namespaces are not permitted here")
    (folder / "runs").mkdir(exist_ok=True)
    script = f'set -e; {mount}; exec "$@"'
    done = subprocess.run(
        [*NAMESPACE, "bash", "-c", script, "bash", sys.executable, "-c", CHECK, check],
        cwd=folder,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return Finding(**{**found, "level": Level(found["level"])})
