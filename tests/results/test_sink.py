"""Part files: complete or invisible, and nothing lost."""

import errno
import os
from datetime import datetime

import pyarrow.parquet as pq
import pytest

from bnnray.errors import StorageError
from bnnray.results import (
    SCHEMA_VERSION,
    TABLES,
    MemorySink,
    ParquetSink,
    Record,
    RunFolder,
    write_table,
)
from bnnray.results import sink as sink_module

SAMPLE = {
    "string": "x",
    "int64": 3,
    "double": 0.5,
    "bool": True,
    "timestamp": datetime(2026, 1, 2),
    "list<int32>": [1, 2],
    "list<double>": [0.5],
}


def row(table: str, **changes):
    return {c.name: SAMPLE[c.type] for c in TABLES[table]} | changes


def record(key: str) -> Record:
    return Record(row("results", key=key), [row("trace", key=key)], row("witnesses", key=key))


@pytest.fixture(params=["parquet", "memory"])
def sink(request, tmp_path):
    return ParquetSink(tmp_path) if request.param == "parquet" else MemorySink()


def test_every_sink_takes_and_flushes(sink):
    sink.append([record("a"), record("b")])
    sink.append([])
    sink.flush()
    sink.flush()


def test_nothing_is_visible_before_the_flush_and_all_after(tmp_path):
    sink, folder = ParquetSink(tmp_path), RunFolder(tmp_path)
    sink.append([record("a"), record("b")])
    assert folder.parts("results") == []
    sink.flush()
    for table in ("results", "trace", "witnesses"):
        (part,) = folder.parts(table)
        assert pq.read_table(part).column("key").to_pylist() == ["a", "b"]
        metadata = pq.read_schema(part).metadata
        assert metadata[b"bnnray"] == f"{table} {SCHEMA_VERSION}".encode()
    assert not list(tmp_path.rglob("*.tmp"))


def test_flushes_by_count_and_by_time(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    monkeypatch.setattr(sink_module, "FLUSH_UNITS", 2)
    sink = ParquetSink(tmp_path)
    sink.append([record("a")])
    assert len(folder.parts("results")) == 0
    sink.append([record("b")])
    assert len(folder.parts("results")) == 1
    monkeypatch.setattr(sink_module, "FLUSH_SECONDS", 0.0)
    sink.append([record("c")])
    assert len(folder.parts("results")) == 2


def test_a_failed_flush_keeps_the_records_and_leaves_no_debris(tmp_path, monkeypatch):
    sink, folder = ParquetSink(tmp_path), RunFolder(tmp_path)
    sink.append([record("a")])
    real = os.fsync

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device; make room"):
        sink.flush()
    assert folder.parts("results") == []
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.setattr(os, "fsync", real)
    sink.flush()
    assert pq.read_table(folder.parts("results")[0]).column("key").to_pylist() == ["a"]


def test_a_table_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "units.parquet"
    write_table(path, "units", [row("units", key="a")])
    write_table(path, "units", [row("units", key="b")])
    assert pq.read_table(path).column("key").to_pylist() == ["b"]
