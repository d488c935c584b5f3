"""Run folders with known answers, written by the real sink."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bnnray.results import ParquetSink, Record, RunFolder, write_table
from bnnray.results.schema import RESULTS, TRACE, UNITS

NOW = datetime(2026, 3, 1, 12)

PLAIN = {
    "job": "job", "dataset": "mnist", "split": "test", "domain": "box", "goal": "runner-up",
    "against": "predicted", "tie": "keep", "model": "net", "model_digest": "d", "epsilon": 0.1,
    "eps_num": 1, "eps_den": 10, "point": 0, "label": 1, "predicted": 1, "correct": True,
    "attack": "milp", "kind": "milp", "settings": "{}", "verdict": "unknown", "proof": "none",
    "status": "time_limit", "flipped": False, "objective": -10.0, "objective_max": 100.0,
    "normalized": -0.1, "seconds": 1.0, "time_limit": 10.0, "batch_size": 1, "session": 1,
}  # fmt: skip

FLIP = {"verdict": "vulnerable", "flipped": True, "status": "flip_found"}
ROBUST = {"verdict": "robust", "proof": "exact", "status": "infeasible"}


def unit(number: int, **changes: Any) -> dict[str, Any]:
    """A finished unit's row; its question is its point at its model, epsilon and domain."""
    row = {**PLAIN, "key": f"{number:04}", "finished_at": NOW + timedelta(seconds=number)}
    row |= {"started_at": NOW, **changes}
    asked = [row[k] for k in ("model", "epsilon", "domain", "point")]
    family = f"{row['model']}-{row['point']}"
    return {"question": "-".join(map(str, asked)), "family": family, **row}


def make_run(
    path: Path, units: list[dict[str, Any]], traces: dict[str, Any] | None = None
) -> RunFolder:
    """A run of these rows; traces are (seconds, objective) by key."""
    run = RunFolder(path)
    run.claim(path.name)
    run.write_provenance({"job": path.name, "versions": {"bnnray": "0"}, "command": ["bnnray"]})
    list_units(run, units)
    add(run, units, traces)
    return run


def add(run: RunFolder, units: list[dict[str, Any]], traces: dict[str, Any] | None = None) -> None:
    """Writes one more part of finished units."""
    sink = ParquetSink(run.path)
    sink.append([_record(u, (traces or {}).get(u["key"], ())) for u in units])
    sink.flush()


def list_units(run: RunFolder, units: list[dict[str, Any]]) -> None:
    """Makes these the job's units, finished or not."""
    write_table(run.units, "units", [{c.name: u.get(c.name) for c in UNITS} for u in units])


def _record(row: dict[str, Any], trace: Any) -> Record:
    of_row = {"key": row["key"], "finished_at": row["finished_at"]}
    points = [{**of_row, "seconds": s, "objective": float(o)} for s, o in trace]
    return Record(
        {c.name: row.get(c.name) for c in RESULTS},
        [{c.name: p.get(c.name) for c in TRACE} for p in points],
    )
