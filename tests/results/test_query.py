"""Queries: one row a key, the current job's units, also before anything is there."""

import sys
import threading
from datetime import datetime

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from records import add, new_run, record, row, write_units

from bnnray.errors import RunFolderError, StorageError, UsageError
from bnnray.results import (
    Record,
    RunFolder,
    compact,
    find_run,
    queries,
    query,
    repair,
    write_table,
)

query_module = sys.modules["bnnray.results.query"]


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path / "my run's")


def test_an_empty_run_answers(run):
    for table in ("results", "all_results", "trace", "witnesses", "units", "archived"):
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
    assert query(run, "select distinct iteration from trace").rows == ((None,),)
    assert query(run, "select box from witnesses").rows == ((None,),)
    assert query(run, "select distinct time_limit from units").rows == ((None,),)
    add(run, record("b"))
    found = query(run, "select key, schema_version from results order by key").rows
    assert found == (("a", None), ("b", 3))


@pytest.mark.parametrize("sql", ["", "  "])
def test_an_empty_query_is_one_line(run, sql):
    with pytest.raises(UsageError, match="expected a query"):
        query(run, sql)


def spoil(part, how: str) -> None:
    """Makes a file something that is no part of the results."""
    whole = part.read_bytes()
    if how == "another table":
        write_table(part, "trace", [row("trace")])
    elif how == "newer":
        table = pq.read_table(part)
        pq.write_table(table.replace_schema_metadata({"bnnray": "results 2"}), part)
    elif how == "foreign":
        pq.write_table(pa.table({"key": ["a"]}), part)
    else:
        damaged = {
            "empty": b"",
            "short": whole[:3],
            "cut": whole[:-100],
            "head only": whole[:100],
            "zeros": bytes(len(whole)),
            "text": b"key,verdict\na,robust\n",
            "long footer": b"PAR1" + b"\xff\xff\xff\x7fPAR1",
        }
        part.write_bytes(damaged[how])


SPOILT = {
    "empty": "empty",
    "short": "not Parquet, or cut off",
    "cut": "not Parquet, or cut off",
    "head only": "not Parquet, or cut off",
    "zeros": "not Parquet, or cut off",
    "text": "not Parquet, or cut off",
    "long footer": "not Parquet, or cut off",
    "another table": "expected rows of results, got trace",
    "newer": "expected schema version 1 or older, got 2",
    "foreign": "not a file of bnnray",
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_is_no_part_is_left_out_and_put_away(run, how):
    write_units(run, "a", "b")
    add(run, record("a"))
    add(run, record("b"))
    bad, good = run.parts("results")
    spoil(bad, how)
    answer = query(run, "select key from results")
    assert answer.rows == (("b",),)
    assert [(p.path, p.reason) for p in answer.problems] == [(bad, SPOILT[how])]
    assert compact(run).problems == answer.problems
    (moved,) = repair(run)
    assert (moved.path, moved.reason) == (run.damaged / "results" / bad.name, SPOILT[how])
    assert moved.path.exists()
    assert run.parts("results") == [good]
    assert repair(run) == []
    again = query(run, "select key from results")
    assert (again.rows, again.problems) == ((("b",),), ())


def test_a_file_that_cannot_be_opened_is_left_out_and_stays(run):
    """It may be whole, so no run may go on as if its rows were lost."""
    write_units(run, "a")
    add(run, record("a"))
    closed = run.path / "results" / "part-closed.parquet"
    closed.mkdir()
    answer = query(run, "select key from results")
    assert (answer.rows, [p.reason for p in answer.problems]) == ((("a",),), ["Is a directory"])
    with pytest.raises(StorageError, match=r"cannot read .*part-closed.*: Is a directory"):
        repair(run)
    assert closed.exists()


def test_damaged_units_are_left_out_too(run):
    write_units(run, "a")
    add(run, record("a"))
    run.units.write_bytes(b"")
    answer = query(run, "select key from results")
    assert (answer.rows, [p.path for p in answer.problems]) == ((), [run.units])


@pytest.mark.parametrize("table", ["results", "witnesses", "trace"])
def test_damage_inside_a_part_is_named_and_put_away(run, table):
    """Its footer is whole, so only reading the rows shows it."""
    write_units(run, "a", "b", "c")
    for key in "abc":
        add(run, record(key))
    bad = run.parts(table)[1]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:4] + bytes(len(whole) // 4) + whole[4 + len(whole) // 4 :])
    with pytest.raises(
        RunFolderError, match=rf"cannot read .*{bad.name}: damaged inside"
    ) as caught:
        query(run, f"select * from {table}")
    assert "\n" not in str(caught.value)
    (moved,) = repair(run)
    assert moved.path == run.damaged / table / bad.name
    keys = query(run, f"select distinct key from {table} order by key").rows
    assert keys == (("a",), ("c",))
    assert repair(run) == []


def test_a_part_with_columns_of_a_newer_version_is_left_out(run):
    """A program that does not know them would drop them where it moves rows."""
    write_units(run, "a")
    add(run, record("a"))
    (part,) = run.parts("results")
    table = pq.read_table(part)
    pq.write_table(table.append_column("new", pa.array([1])), part)
    answer = query(run, "select key from results")
    assert answer.rows == ()
    assert [p.reason for p in answer.problems] == ["made by a newer bnnray: it has the column new"]


def test_a_repair_removes_what_killed_writers_left_and_nothing_else(run):
    add(run, record("a"))
    left = [run.path / "results" / ".part-x.parquet-1234.tmp", run.path / ".run.json-12345678.tmp"]
    left += [run.archive["trace"].folder / ".part-x.parquet-1.tmp"]
    lease = run.path / ".lease.json-12345678.tmp"
    for path in [*left, lease]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    before = run.parts("results")
    assert repair(run) == []
    assert not any(path.exists() for path in left)
    assert lease.exists()
    assert run.parts("results") == before


def test_a_query_starts_anew_when_a_file_is_replaced_under_it(run, monkeypatch):
    """As by a driver that moves rows: the same rows are in another file then."""
    write_units(run, "a")
    add(run, record("a"))
    real = query_module._make_views
    replaced = []

    def replace_once(*arguments):
        real(*arguments)
        if not replaced:
            (part,) = run.parts("results")
            replaced.append(part.rename(run.live["results"].new_part()))

    monkeypatch.setattr(query_module, "_make_views", replace_once)
    assert query(run, "select key from results").rows == (("a",),)
    assert replaced


def test_a_wrong_query_is_one_line(run):
    with pytest.raises(UsageError, match="the query failed") as caught:
        query(run, "selekt 1")
    assert "\n" not in str(caught.value)


def test_half_written_files_are_not_seen(run):
    write_units(run, "a")
    add(run, record("a"))
    (run.path / "results" / ".part-x.tmp").write_bytes(b"half")
    assert query(run, "select count(*) from results").rows == ((1,),)


def test_queries_while_a_writer_writes_see_whole_units_and_ever_more(run):
    keys = [f"k{number}" for number in range(60)]
    write_units(run, *keys)

    def write() -> None:
        for key in keys:
            add(run, record(key))

    writer = threading.Thread(target=write)
    writer.start()
    counts = [0]
    while writer.is_alive() or counts[-1] < len(keys):
        sql = """select count(*), count(distinct key), count(w.key) from results r
                 left join witnesses w using (key)"""
        ((rows, different, witnesses),) = query(run, sql).rows
        assert rows == different == witnesses >= counts[-1]
        counts.append(rows)
    writer.join()
    assert counts[-1] == len(keys)
    assert len(set(counts)) > 2


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
    for content in ("{", "[]", '{"job": 5}', "{}"):
        (run.path / "run.json").write_text(content)
        with pytest.raises(RunFolderError, match=r"cannot read the job's name in .*run\.json"):
            RunFolder(run.path).claim("job")


def test_a_first_write_that_was_killed_leaves_a_folder_of_nobody(tmp_path):
    run = RunFolder(tmp_path / "job")
    run.path.mkdir()
    (run.path / ".run.json-12345678.tmp").write_bytes(b"{")
    (run.path / "logs").mkdir()  # of a run that ended before its first session
    run.claim("job")
    (run.path / ".cat.png-12345678.tmp").write_bytes(b"")
    with pytest.raises(RunFolderError, match="is not a run folder of bnnray"):
        run.claim("job")


@pytest.mark.parametrize("sessions", ["5", "null", "[1, {}]", '{"a": 1}'])
def test_strange_sessions_are_none(run, sessions):
    (run.path / "run.json").write_text(f'{{"job": "job", "sessions": {sessions}}}')
    run.claim("job")
    assert run.sessions() == ([{}] if sessions.startswith("[") else [])


@pytest.mark.parametrize("parent", ["seed=7", "attack=foo", "key=zz", "[a]*"])
def test_the_names_of_parent_folders_are_no_columns(tmp_path, parent):
    run = new_run(tmp_path / parent / "job")
    write_units(run, "a")
    add(run, record("a", seed=3, attack="milp"))
    assert query(run, "select key, seed, attack from results").rows == (("a", 3, "milp"),)
    assert repair(run) == []


def test_a_model_has_the_name_that_it_has_in_the_job(run):
    """Here two models were swapped: a key has the digest of the network, not its name."""
    add(run, record("a", model="one", attack="old"), record("b", model="two"))
    units = [row("units", key=key, model=model) for key, model in [("a", "two"), ("b", "one")]]
    write_table(run.units, "units", units)
    sql = "select key, model, attack from results order by key"
    assert query(run, sql).rows == (("a", "two", "old"), ("b", "one", "x"))
    assert query(run, "select key, model from all_results order by key").rows == (
        ("a", "one"),
        ("b", "two"),
    )


def test_sql_does_not_see_variables_of_the_program(run):
    for name in ("run", "tables", "statements"):
        with pytest.raises(UsageError, match=f"Table with name {name} does not exist"):
            query(run, f"select * from {name}")


def test_statements_together_see_the_same_files(run):
    write_units(run, "a")
    found = queries(run, ["select key from units", "select count(*) from results"])
    assert [answer.rows for answer in found] == [(("a",),), ((0,),)]


def test_a_link_to_nothing_is_left_out_and_stays(run):
    """What it led to may be whole."""
    write_units(run, "a")
    add(run, record("a"))
    link = run.path / "results" / "part-link.parquet"
    link.symlink_to(run.path / "nothing")
    answer = query(run, "select key from results")
    assert (answer.rows, [p.path for p in answer.problems]) == ((("a",),), [link])
    with pytest.raises(StorageError, match=r"cannot read .*part-link.*: a link to nothing"):
        repair(run)
    assert link.is_symlink()


def test_the_newer_session_counts_whatever_the_clocks_say(tmp_path):
    run = new_run(tmp_path / "job")
    write_units(run, "a")
    add(run, record("a", 50, session=1, objective=1.0))
    add(run, record("a", 10, session=2, objective=2.0))
    assert query(run, "select session, objective from results").rows == ((2, 2.0),)
    add(run, record("a", 60, session=3, status="crashed"))
    assert query(run, "select session, objective from results").rows == ((2, 2.0),)
