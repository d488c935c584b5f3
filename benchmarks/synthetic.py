"""Rows that look like those of a real run, for benchmarks of what happens to them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

import numpy as np

from bnnray.results import TABLES, Record

PIXELS, POINTS = 784, 5
SETTINGS = json.dumps({"iterations": 100, "kind": "pgd", "restarts": 10, "step": 0.1})
VERSIONS = json.dumps(dict.fromkeys(("bnnray", "numpy", "python", "ray", "torch"), "1.2.3"))
TEXT = {"settings": SETTINGS, "versions": VERSIONS, "kind": "pgd", "attack": "pgd"}
OUTCOME = {"verdict": "unknown", "proof": "none", "status": "iteration_limit", "replay": "ok"}
LIMITS = {"time_limit": 60.0, "memory_limit_bytes": None}


def key(number: int) -> str:
    """The content key of a unit."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def record(number: int, unit_key: str | None = None, **changes: object) -> Record:
    """A finished unit; the number says which, and seeds all that is random in it."""
    rng = np.random.default_rng(number)
    finished = datetime(2026, 1, 1) + timedelta(milliseconds=number)
    of_row = {"key": unit_key or key(number), "finished_at": finished}
    values = {
        "string": "mnist",
        "int64": number,
        "double": float(rng.normal()),
        "bool": bool(number % 2),
        "timestamp": finished,
    }
    row = {c.name: values[c.type] for c in TABLES["results"]}
    trace = [
        {**of_row, "seconds": 0.1 * n, "objective": float(rng.normal()), "iteration": n}
        for n in range(POINTS)
    ]
    pixels = rng.integers(0, 256, PIXELS, dtype=np.int32)
    witness = {**of_row, "domain": "grid", "levels": 255, "grid": pixels}
    return Record({**row, **TEXT, **OUTCOME, **LIMITS, **of_row, **changes}, trace, witness)
