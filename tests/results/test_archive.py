"""What does not count goes to the archive and comes back."""

from __future__ import annotations

import os

import pytest
from records import add, archived, everything, new_run, record, shown, start, write_units

from bnnray.errors import RunFolderError
from bnnray.results import RunFolder, compact, query
from bnnray.results.moving import copy_rows, remove_part
from bnnray.results.schema import PARTED


@pytest.fixture(autouse=True)
def _fast_disk(monkeypatch):
    """No power fails here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path / "my run's")


def files(run: RunFolder) -> dict[str, list[str]]:
    return {table: [path.name for path in run.parts(table)] for table in PARTED}


def test_a_folder_in_order_is_left_alone(run):
    add(run, record("a"), record("b"))
    start(run, "a", "b", "c")
    before = files(run)
    start(run, "a", "b", "c")
    assert files(run) == before
    assert not (run.path / "archive").exists()


def test_rows_of_units_that_left_go_with_all_that_is_theirs(run):
    add(run, record("a"), record("b"))
    add(run, record("c"))
    (_, untouched) = run.parts("results")
    start(run, "a", "c")
    assert archived(run) == [("b", 0, "obsolete")]
    assert [key for key, *_ in shown(run)["results"]] == ["a", "c"]
    assert untouched in run.parts("results")
    for table in PARTED:
        assert len(run.archive[table].parts()) == 1, table
    assert query(run, "select distinct key from all_trace order by 1").rows == (("a",), ("c",))


def test_an_undone_edit_takes_them_back_out(run):
    add(run, record("a", verdict="robust"), record("b", verdict="vulnerable"))
    start(run, "a", "b")
    before = shown(run)
    start(run, "a")
    assert shown(run) != before
    start(run, "a", "b")
    assert shown(run) == before
    assert archived(run) == []
    assert everything(run) == {(t, k, record(k).row["finished_at"]) for t in PARTED for k in "ab"}


def test_superseded_rows_and_failed_reruns_go(run):
    add(run, record("a", 1), record("b", 1), record("c", 1, status="crashed"))
    add(run, record("a", 2), record("b", 2, status="crashed"), record("c", 2, status="licence"))
    start(run, "a", "b", "c")
    assert [(k, t.minute) for k, t, _ in shown(run)["results"]] == [("a", 2), ("b", 1), ("c", 2)]
    assert archived(run) == [("a", 1, "superseded"), ("b", 2, "superseded"), ("c", 1, "superseded")]
    assert query(run, "select count(*) from all_results").rows == ((3,),)


def test_of_a_unit_that_left_the_best_row_comes_back(run):
    add(run, record("a", 1), record("a", 2, status="crashed"), record("a", 0))
    start(run, "b")
    assert archived(run) == [("a", 0, "superseded"), ("a", 1, "obsolete"), ("a", 2, "superseded")]
    start(run, "a", "b")
    assert [(k, t.minute) for k, t, _ in shown(run)["results"]] == [("a", 1)]


def test_a_row_that_is_to_be_done_again_does_not_come_back(run):
    add(run, record("a"), record("b"))
    start(run, "a", "b", again=("a",))
    assert archived(run) == [("a", 0, "rerun")]
    start(run, "a", "b")
    assert [key for key, *_ in shown(run)["results"]] == ["b"]
    start(run, "b")
    start(run, "a", "b")
    assert [key for key, *_ in shown(run)["results"]] == ["b"]


def test_an_answer_comes_back_although_a_failed_row_is_there(run):
    """As after a move that was killed between two files."""
    add(run, record("a", 1))
    start(run, "b")
    add(run, record("a", 2, status="crashed"))
    start(run, "a", "b")
    assert [(k, t.minute) for k, t, _ in shown(run)["results"]] == [("a", 1)]
    assert archived(run) == [("a", 2, "superseded")]


def test_a_failed_row_does_not_come_back_beside_another(run):
    add(run, record("a", 1, status="crashed"))
    start(run, "b")
    add(run, record("a", 2, status="crashed"))
    start(run, "a", "b")
    assert [(k, t.minute) for k, t, _ in shown(run)["results"]] == [("a", 2)]


def test_what_is_older_than_a_row_to_be_done_again_does_not_come_back(run):
    add(run, record("a", 1))
    start(run, "b")
    whole = run.path / "aside"
    run.archive["results"].folder.rename(whole)
    add(run, record("a", 2))
    start(run, "a", "b", again=("a",))
    for part in whole.iterdir():
        part.rename(run.archive["results"].folder / part.name)
    start(run, "a", "b")
    assert shown(run)["results"] == []


def test_parts_of_one_row_are_merged_in_row_groups_of_many(run):
    import pyarrow.parquet as pq

    for n in range(30):
        add(run, record(f"k{n:02}"))
    assert compact(run).after == len(PARTED)
    (part,) = run.parts("results")
    metadata = pq.read_metadata(part)
    assert (metadata.num_rows, metadata.num_row_groups) == (30, 1)


def test_a_part_that_is_gone_while_rows_move_is_one_line(run):
    add(run, record("a"), record("b"))
    (part,) = run.parts("results")
    part.unlink()
    for act in (lambda: copy_rows({part: [0]}, run.archive["results"]), lambda: remove_part(part)):
        with pytest.raises(RunFolderError, match=f"{part.name} is gone: expected nobody else"):
            act()


def test_copies_of_a_batch_are_shown_once_and_removed(run):
    add(run, record("a"), record("b"))
    add(run, record("a"), record("b"))
    write_units(run, "a", "b")
    assert {t: len(rows) for t, rows in shown(run).items()} == {
        "results": 2, "trace": 4, "witnesses": 2, "subproblems": 4, "proofs": 2,
    }  # fmt: skip
    for table in PARTED:
        twice = query(run, f"select key, count(*) from all_{table} group by key").rows
        once = table in ("results", "witnesses", "proofs")
        assert {count for _, count in twice} == ({1} if once else {2})
    before = shown(run)
    start(run, "a", "b")
    assert shown(run) == before
    assert all(len(parts) == 1 for parts in files(run).values())
    assert archived(run) == []


def test_what_a_killed_writer_left_without_its_row_goes(run):
    add(run, record("a"))
    (results,) = run.parts("results")
    results.unlink()
    start(run, "a")
    assert run.parts("trace") == []
    assert query(run, "select count(*) from all_trace").rows == ((0,),)


def test_parts_from_before_a_column_came_are_moved(run):
    import pyarrow.parquet as pq

    add(run, record("a"), record("b"))
    (part,) = run.parts("results")
    pq.write_table(pq.read_table(part).drop_columns(["memory_limit_bytes"]), part)
    start(run, "a")
    assert archived(run) == [("b", 0, "obsolete")]
    assert query(run, "select key, memory_limit_bytes from results").rows == (("a", None),)
