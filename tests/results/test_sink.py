"""Part files: complete or invisible, and nothing lost."""

import errno
import os

import pyarrow.parquet as pq
import pytest
from records import record, row

from bnnray.errors import StorageError
from bnnray.results import (
    SCHEMA_VERSION,
    MemorySink,
    ParquetSink,
    RunFolder,
    batches,
    write_batch,
    write_table,
)
from bnnray.results.schema import PARTED


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
    for table in PARTED:
        (part,) = folder.parts(table)
        assert pq.read_table(part).column("key").unique().to_pylist() == ["a", "b"]
        metadata = pq.read_schema(part).metadata
        assert metadata[b"bnnray"] == f"{table} {SCHEMA_VERSION}".encode()
    assert not list(tmp_path.rglob("*.tmp"))


def test_flushes_by_count_and_by_time(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    monkeypatch.setattr(batches, "FLUSH_UNITS", 2)
    sink = ParquetSink(tmp_path)
    sink.append([record("a")])
    assert len(folder.parts("results")) == 0
    sink.append([record("b")])
    assert len(folder.parts("results")) == 1
    monkeypatch.setattr(batches, "FLUSH_SECONDS", 0.0)
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


def test_a_batch_that_is_written_twice_is_there_once(tmp_path):
    folder = RunFolder(tmp_path)
    write_batch(tmp_path, "00000000000000000007-abcdef01", [record("a")])
    before = {table: folder.parts(table) for table in PARTED}
    write_batch(tmp_path, "00000000000000000007-abcdef01", [record("a")])
    assert {table: folder.parts(table) for table in PARTED} == before
    assert [p.name for p in before["results"]] == ["part-00000000000000000007-abcdef01.parquet"]
    assert pq.read_table(before["results"][0]).num_rows == 1


def test_a_batch_keeps_its_name_over_a_failed_flush(tmp_path, monkeypatch):
    """What was written of it before the disk was full is replaced, not doubled."""
    sink, folder = ParquetSink(tmp_path), RunFolder(tmp_path)
    sink.append([record("a")])
    real = batches.write_table

    def full(path, table, rows):
        if table == "results":
            raise StorageError("cannot write: full")
        real(path, table, rows)

    monkeypatch.setattr(batches, "write_table", full)
    with pytest.raises(StorageError):
        sink.flush()
    (half,) = folder.parts("trace")
    monkeypatch.setattr(batches, "write_table", real)
    sink.flush()
    assert folder.parts("trace") == [half]
    assert [p.name for p in folder.parts("results")] == [half.name]
