"""Queries: one row a key, the current job's units, also before anything is there."""

from datetime import datetime

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from test_sink import record, row

from bnnray.errors import RunFolderError, StorageError, UsageError
from bnnray.results import ParquetSink, Record, RunFolder, find_run, query, write_table


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "my run's")
    folder.claim("job")
    folder.write_provenance({"job": "job"})
    return folder


def write_units(run: RunFolder, *keys: str) -> None:
    write_table(run.units, "units", [row("units", key=key) for key in keys])


def add(run: RunFolder, *records: Record) -> None:
    sink = ParquetSink(run.path)
    sink.append(records)
    sink.flush()


def test_an_empty_run_answers(run):
    for table in ("results", "all_results", "trace", "witnesses", "units"):
        assert query(run, f"select count(*) from {table}").rows == ((0,),)


def test_results_are_one_row_a_key_of_the_current_job(run):
    write_units(run, "a", "b")
    later = row("results", key="a", verdict="later", finished_at=datetime(2026, 2, 1))
    add(run, record("a"), record("gone"))
    add(run, Record(later))
    found = query(run, "select key, verdict from results").rows
    assert found == (("a", "later"),)
    assert query(run, "select count(*) from all_results").rows == ((3,),)


def test_a_failed_rerun_does_not_hide_an_answer(run):
    write_units(run, "a", "b")
    for day, key, status in [(3, "a", "optimal"), (4, "a", "crashed"), (3, "b", "crashed")]:
        add(run, Record(row("results", key=key, status=status, finished_at=datetime(2026, 1, day))))
    found = query(run, "select key, status from results order by key").rows
    assert found == (("a", "optimal"), ("b", "crashed"))


def test_trace_and_witnesses_are_those_of_the_results(run):
    write_units(run, "a")
    for day in (3, 4):
        of_row = {"key": "a", "finished_at": datetime(2026, 1, day)}
        parts = [row(table, **of_row) for table in ("results", "trace", "witnesses")]
        add(run, Record(parts[0], [{**parts[1], "seconds": float(day)}], parts[2]))
    assert query(run, "select seconds from trace").rows == ((4.0,),)
    assert query(run, "select count(*) from results join witnesses using (key)").rows == ((1,),)


def test_a_part_from_before_a_column_came_is_still_read(run):
    """It is null there, also where every part is that old."""
    write_units(run, "a", "b")
    add(run, record("a"))
    late = {"results": "schema_version", "trace": "iteration", "witnesses": "box"}
    for table, column in late.items():
        (part,) = run.parts(table)
        pq.write_table(pq.read_table(part).drop_columns([column]), part)
    units = pq.read_table(run.units)
    pq.write_table(units.drop_columns(["time_limit"]), run.units)
    assert query(run, "select key, schema_version from results").rows == (("a", None),)
    assert query(run, "select iteration from trace").rows == ((None,),)
    assert query(run, "select box from witnesses").rows == ((None,),)
    assert query(run, "select distinct time_limit from units").rows == ((None,),)
    add(run, record("b"))
    found = query(run, "select key, schema_version from results order by key").rows
    assert found == (("a", None), ("b", 3))


@pytest.mark.parametrize("sql", ["", "  "])
def test_an_empty_query_is_one_line(run, sql):
    with pytest.raises(UsageError, match="expected a query"):
        query(run, sql)


def test_a_damaged_part_is_one_line(run):
    write_units(run, "a")
    add(run, record("a"))
    (part,) = run.parts("results")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunFolderError, match="cannot be read") as caught:
        query(run, "select 1")
    assert "\n" not in str(caught.value)


def test_a_wrong_query_is_one_line(run):
    with pytest.raises(UsageError, match="the query failed") as caught:
        query(run, "selekt 1")
    assert "\n" not in str(caught.value)


def test_half_written_files_are_not_seen(run):
    write_units(run, "a")
    add(run, record("a"))
    (run.path / "results" / ".part-x.tmp").write_bytes(b"half")
    assert query(run, "select count(*) from results").rows == ((1,),)


def test_one_folder_is_read_by_every_library(run):
    write_units(run, "a", "b")
    add(run, record("a"))
    add(run, record("b"))
    results = run.path / "results"
    pattern = f"{results}/*.parquet".replace("'", "''")
    cursor = duckdb.connect().execute(f"select * from read_parquet('{pattern}')")
    names = [d[0] for d in cursor.description]
    frames = {
        "duckdb": [dict(zip(names, values, strict=True)) for values in cursor.fetchall()],
        "pandas": pd.read_parquet(results).to_dict("records"),
        "polars": pl.read_parquet(results / "*.parquet").to_dicts(),
        "pyarrow": ds.dataset(results).to_table().to_pylist(),
    }
    for name, rows in frames.items():
        assert sorted(r["key"] for r in rows) == ["a", "b"], name
        assert set(rows[0]) == set(row("results")), name
        assert rows[0]["finished_at"] == datetime(2026, 1, 2), name


def test_finds_a_run_by_name_or_path(run, tmp_path):
    assert find_run("my run's", tmp_path).path == run.path
    assert find_run(str(run.path), tmp_path / "elsewhere").path == run.path
    with pytest.raises(RunFolderError, match="there are: my run's"):
        find_run("other", tmp_path)
    with pytest.raises(RunFolderError, match="there are none yet"):
        find_run("other", tmp_path / "elsewhere")


def test_folders_of_others_are_refused(run, tmp_path):
    run.claim("job")
    with pytest.raises(RunFolderError, match="belongs to the job 'job', not 'other'"):
        RunFolder(run.path).claim("other")
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.png").write_bytes(b"")
    with pytest.raises(RunFolderError, match="is not a run folder of bnnray"):
        RunFolder(foreign).claim("job")
    assert sorted(p.name for p in foreign.iterdir()) == ["cat.png"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use the run folder"):
        RunFolder(tmp_path / "file").claim("job")
    (run.path / "run.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"unreadable run\.json"):
        RunFolder(run.path).claim("job")
