"""What made a run: versions, commit, machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scipy", "ray", "highspy", "gurobipy", "python-sat", "pyarrow")


def versions() -> str:
    """Versions of bnnray, Python and the packages that can change an answer, as JSON."""
    found = {"bnnray": _version("bnnray"), "python": platform.python_version()}
    return json.dumps({**found, **{name: _version(name) for name in PACKAGES}}, sort_keys=True)


def provenance(job: str, models: Mapping[str, str], data_digest: str) -> dict[str, Any]:
    """The content of run.json, but for its sessions.

    Args:
        job: its name.
        models: digests by the models' names.
        data_digest: of the split that is attacked.
    """
    return {
        "job": job,
        **invocation(),
        "versions": json.loads(versions()),
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
        "data_digest": data_digest,
        "models": dict(models),
    }


def invocation() -> dict[str, Any]:
    """What was called, wherever it is installed, and on which machine."""
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {"command": command, "commit": commit(), "host": platform.node()}


def commit() -> str | None:
    """The commit of the checkout that bnnray runs from, "+" for a changed tree; None outside."""
    here = Path(__file__).resolve().parent
    head = _git(here, "rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+" if _git(here, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
