"""What does not count goes to the archive and comes back; a kill at any moment loses nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from records import add, archived, everything, new_run, record, shown, write_units

from bnnray.errors import RunFolderError
from bnnray.results import RunFolder, compact, query, repair, take_back, tidy
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


def start(run: RunFolder, *keys: str, again: tuple[str, ...] = ()) -> None:
    """What a driver does with the folder before it counts units."""
    repair(run)
    take_back(run, keys)
    write_units(run, *keys)
    tidy(run, keys, again)


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


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@contextmanager
def killed_after(operations: int) -> Iterator[list[str]]:
    """Lets so many renames and removals happen, and no further one, also not to clean up."""
    done: list[str] = []
    real = {"replace": Path.replace, "unlink": Path.unlink}

    def wrap(name: str) -> Callable[..., object]:
        def act(path: Path, *arguments: object, **options: object) -> object:
            if len(done) >= operations:
                raise Killed
            done.append(f"{name} {path}")
            return real[name](path, *arguments, **options)

        return act

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(Path, name, wrap(name))
        yield done


def busy_folder(path: Path) -> RunFolder:
    """Rows of every kind: obsolete, superseded, failed, copied, orphaned, archived, to do again."""
    run = new_run(path)
    add(run, record("out"), record("back", 1), record("a", 0))
    start(run, "out", "a")  # back is archived
    add(run, record("a", 1), record("b", 1), record("again"), record("c", 1))
    add(run, record("b", 2, status="crashed"), record("copy"), record("bare", full=False))
    add(run, record("copy"))
    add(run, record("orphan"))
    run.parts("results")[-1].unlink()
    write_units(run, "out", "a", "b", "again")
    return run


KEYS = ("a", "b", "c", "back", "again", "copy", "bare", "orphan", "new")


def drive(run: RunFolder) -> None:
    start(run, *KEYS, again=("again",))


def undisturbed(tmp_path: Path) -> tuple[RunFolder, int]:
    run = busy_folder(tmp_path / "undisturbed")
    with killed_after(1000) as done:
        drive(run)
    return run, len(done)


def test_a_kill_at_any_moment_of_a_start_loses_nothing_and_shows_nothing_twice(tmp_path):
    whole, count = undisturbed(tmp_path)
    assert count > 25
    template = busy_folder(tmp_path / "template")
    held, before, after, away = (
        everything(template),
        shown(template),
        shown(whole),
        archived(whole),
    )
    for operations in range(count):
        run = RunFolder(tmp_path / f"killed-{operations}")
        shutil.copytree(template.path, run.path)
        with killed_after(operations), pytest.raises(Killed):
            drive(run)
        assert everything(run) == held, operations
        check_shown(run, before, after)
        drive(run)
        assert shown(run) == after, operations
        assert archived(run) == away, operations
        assert everything(run) == held, operations
        assert not list(run.path.rglob("*.tmp")), operations


def check_shown(run: RunFolder, before: dict, after: dict) -> None:
    """Amid the moves: every unit that counts before and after is there, and none twice."""
    now = shown(run)
    for table, rows in now.items():
        assert len(set(rows)) == len(rows), table
        assert set(before[table]) & set(after[table]) <= set(rows), table
        assert set(rows) <= set(before[table]) | set(after[table]), table


def test_a_kill_while_an_edit_is_undone_or_given_up_again(tmp_path):
    """After any kill the next start may be of another job, without what was to be done again."""
    template = busy_folder(tmp_path / "template")
    held = everything(template)
    _, count = undisturbed(tmp_path)
    for operations in range(0, count, 3):
        run = RunFolder(tmp_path / f"killed-{operations}")
        shutil.copytree(template.path, run.path)
        with killed_after(operations), pytest.raises(Killed):
            drive(run)
        start(run, "out", "a", "again")
        seen = {key: time.minute for key, time, _ in shown(run)["results"]}
        done_again = {k for k, _, reason in archived(run) if reason == "rerun"}
        assert set(seen) | done_again == {"out", "a", "again"}, operations
        assert seen["a"] == 1
        assert everything(run) == held, operations
        complete = {table: {key for key, *_ in rows} for table, rows in shown(run).items()}
        assert len({frozenset(keys) for keys in complete.values()}) == 1, operations


def test_a_kill_at_any_moment_of_a_compaction(tmp_path):
    template = busy_folder(tmp_path / "template")
    drive(template)
    add(template, record("new", 3), record("a", 3, status="crashed"))
    before, held = shown(template), everything(template)
    whole = RunFolder(tmp_path / "whole")
    shutil.copytree(template.path, whole.path)
    with killed_after(1000) as done:
        compact(whole)
    assert shown(whole) == before
    assert len(done) > 10
    for operations in range(len(done)):
        run = RunFolder(tmp_path / f"killed-{operations}")
        shutil.copytree(template.path, run.path)
        with killed_after(operations), pytest.raises(Killed):
            compact(run)
        assert shown(run) == before, operations
        assert archived(run) == archived(template), operations
        compact(run)
        assert shown(run) == before, operations
        assert everything(run) == held, operations
        assert all(len(parts) == 1 for parts in files(run).values()), operations
        start(run, *KEYS)
        assert shown(run) == before, operations
