"""Every sink keeps what it took: in memory, on disk, and by an actor that may die."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from bnnray.errors import SetupError, StorageError
from bnnray.results import (
    TABLES,
    MemorySink,
    ParquetSink,
    Record,
    RunFolder,
    batches,
    query,
)
from bnnray.runtime.ray_cluster import RayCluster
from bnnray.runtime.remote_sink import MOST_DEATHS

SAMPLE = {"string": "x", "int64": 3, "double": 0.5, "bool": True}


def record(key: str) -> Record:
    of_row = {"key": key, "finished_at": datetime(2026, 1, 2)}
    row = {c.name: SAMPLE.get(c.type) for c in TABLES["results"]} | of_row
    return Record(row, [{**of_row, "seconds": 0.0}], {**of_row, "grid": [1, 2]})


def patient() -> None:
    """Nobody is in a hurry."""


@pytest.fixture(scope="module")
def cluster():
    with closing(RayCluster()) as cluster:
        yield cluster


@pytest.fixture(params=["memory", "parquet", "ray"])
def sink(request, tmp_path):
    if request.param == "memory":
        return MemorySink()
    if request.param == "parquet":
        return ParquetSink(tmp_path)
    return request.getfixturevalue("cluster").sink(tmp_path, patient)


def kept(sink, folder: Path) -> list[str]:
    """The keys that the sink has made final, each as often as it is shown."""
    if isinstance(sink, MemorySink):
        return [r.row["key"] for r in sink.records]
    return on_disk(folder)


def on_disk(folder: Path) -> list[str]:
    run = RunFolder(folder)
    found = [key for (key,) in query(run, "select key from all_results order by 1").rows]
    trace = [key for (key,) in query(run, "select key from all_trace order by 1").rows]
    assert trace == found
    return found


def newest_writer() -> list[psutil.Process]:
    """The process of the last sink actor, if it is there; Ray names it after what runs in it."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("SinkActor" in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return sorted(found, key=lambda process: process.create_time())[-1:]


def test_after_a_flush_all_is_final_in_order(sink, tmp_path):
    sink.append([record("a"), record("b")])
    sink.append([])
    sink.append([record("c")])
    sink.flush()
    assert sink.unwritten == 0
    assert kept(sink, tmp_path) == ["a", "b", "c"]
    sink.flush()
    sink.append([record("d")])
    sink.flush()
    assert kept(sink, tmp_path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("sink", ["parquet", "ray"], indirect=True)
def test_a_folder_that_cannot_be_written_is_a_storage_error_and_loses_nothing(sink, tmp_path):
    (tmp_path / "results").write_text("in the way")
    sink.append([record("a")])
    with pytest.raises(StorageError, match="cannot write"):
        sink.flush()
    assert sink.unwritten == 1
    (tmp_path / "results").unlink()
    sink.append([record("b")])
    assert sink.unwritten == 2
    sink.flush()
    assert sink.unwritten == 0
    assert kept(sink, tmp_path) == ["a", "b"]


def test_append_does_not_wait_for_the_actor(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "FLUSH_UNITS", 1)
    sink = cluster.sink(tmp_path, patient)
    sink.append([record("a")])
    sink.flush()
    (writer,) = newest_writer()
    writer.suspend()
    try:
        for n in range(5):
            sink.append([record(f"b{n}")])
        assert on_disk(tmp_path) == ["a"]
    finally:
        writer.resume()
    sink.flush()
    assert on_disk(tmp_path) == ["a", *(f"b{n}" for n in range(5))]


def test_a_flush_that_hangs_can_be_ended(cluster, tmp_path):
    """As where the file server of the folder hangs."""

    class Hurry(Exception):
        pass

    def check() -> None:
        if hurried:
            raise Hurry

    hurried: list[bool] = []
    sink = cluster.sink(tmp_path, check)
    sink.append([record("a")])
    sink.flush()
    (writer,) = newest_writer()
    writer.suspend()
    try:
        sink.append([record("b")])
        timer = threading.Timer(1, hurried.append, (True,))
        timer.start()
        with pytest.raises(Hurry):
            sink.flush()
        timer.join()
        assert on_disk(tmp_path) == ["a"]
    finally:
        writer.resume()
    hurried.clear()
    sink.flush()
    assert on_disk(tmp_path) == ["a", "b"]


def test_a_killed_writer_loses_nothing_and_doubles_nothing(cluster, tmp_path, monkeypatch):
    """kill -9 amid the batches, each time as soon as another one was written."""
    monkeypatch.setattr(batches, "FLUSH_UNITS", 50)
    sink, run = cluster.sink(tmp_path, patient), RunFolder(tmp_path)
    ended = threading.Event()
    killed: list[int] = []

    def kill_now_and_then() -> None:
        written = 0
        while not ended.wait(0.01) and len(killed) < 4:
            if len(run.parts("results")) > written:
                written = len(run.parts("results"))
                for writer in newest_writer():
                    with suppress(ProcessLookupError):
                        os.kill(writer.pid, signal.SIGKILL)
                    killed.append(writer.pid)

    thread = threading.Thread(target=kill_now_and_then)
    thread.start()
    keys = [f"{n:05d}" for n in range(4000)]
    try:
        for start in range(0, len(keys), 25):
            sink.append([record(key) for key in keys[start : start + 25]])
            time.sleep(0.02)
        sink.flush()
    finally:
        ended.set()
        thread.join()
    assert len(set(killed)) >= 2
    assert on_disk(tmp_path) == keys


def test_writers_that_die_on_one_batch_are_an_error(cluster, tmp_path):
    class Deadly(dict):
        """Kills the process that unpacks it."""

        def __reduce__(self):
            return (os._exit, (9,))

    sink = cluster.sink(tmp_path, patient)
    sink.append([Record(Deadly())])
    with pytest.raises(SetupError, match=f"{MOST_DEATHS} actors died while they wrote") as caught:
        sink.flush()
    assert "\n" not in str(caught.value)
