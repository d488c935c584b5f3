"""Records and folders for the tests of the run folder."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bnnray.results import (
    TABLES,
    Record,
    RunFolder,
    query,
    repair,
    take_back,
    tidy,
    write_batch,
    write_table,
)
from bnnray.results.parts import new_batch_id
from bnnray.results.query import connect

SAMPLE = {
    "string": "x",
    "int64": 3,
    "double": 0.5,
    "bool": True,
    "timestamp": datetime(2026, 1, 2),
    "list<int32>": [1, 2],
    "list<double>": [0.5],
}


def row(table: str, **changes: Any) -> dict[str, Any]:
    return {c.name: SAMPLE[c.type] for c in TABLES[table]} | changes


def record(key: str, minute: int = 0, *, full: bool = True, **changes: Any) -> Record:
    """A unit that was finished then; a full one has two rows of everything that can be more."""
    of_row = {"key": key, "finished_at": datetime(2026, 1, 2) + timedelta(minutes=minute)}
    if not full:
        return Record(row("results", **of_row, **changes))
    trace = [row("trace", **of_row, seconds=float(s)) for s in range(2)]
    subproblems = [row("subproblems", **of_row, layer=n) for n in range(2)]
    witness = row("witnesses", **of_row)
    proof = row("proofs", **of_row)
    return Record(row("results", **of_row, **changes), trace, witness, subproblems, proof)


def new_run(path: Path) -> RunFolder:
    run = RunFolder(path)
    run.claim("job")
    run.write_provenance({"job": "job"})
    return run


def write_units(run: RunFolder, *keys: str) -> None:
    write_table(run.units, "units", [row("units", key=key) for key in keys])


def add(run: RunFolder, *records: Record) -> None:
    """One more part of each table."""
    write_batch(run.path, new_batch_id(), records)


def shown(run: RunFolder) -> dict[str, list[tuple[Any, ...]]]:
    """What a reader sees of the job: keys and times, each as often as it is shown."""
    with connect(run) as tables:
        return {
            table: sorted(tables.fetch(f"select key, finished_at, {more} from {table}"))
            for table, more in [
                ("results", "verdict"),
                ("trace", "seconds"),
                ("witnesses", "levels"),
                ("subproblems", "layer"),
                ("proofs", "text"),
            ]
        }


def archived(run: RunFolder) -> list[tuple[Any, ...]]:
    sql = "select key, minute(finished_at), reason from archived order by all"
    return list(query(run, sql).rows)


def everything(run: RunFolder) -> set[tuple[str, str, datetime]]:
    """Every row that the folder holds anywhere, by table, key and time."""
    found: set[tuple[str, str, datetime]] = set()
    for places in (run.live, run.archive):
        for table, place in places.items():
            for path in place.parts():
                columns = pq.read_table(path, columns=["key", "finished_at"]).to_pylist()
                found |= {(table, r["key"], r["finished_at"]) for r in columns}
    return found


def start(run: RunFolder, *keys: str, again: tuple[str, ...] = ()) -> None:
    """What a driver does with the folder before it counts units."""
    repair(run)
    take_back(run, keys)
    write_units(run, *keys)
    tidy(run, keys, again)
