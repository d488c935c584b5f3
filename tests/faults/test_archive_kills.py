"""Rows move between results and archive: a kill at any moment loses none and doubles none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from records import add, archived, everything, new_run, record, shown, start, write_units

from bnnray.results import RunFolder, compact
from bnnray.results.schema import PARTED


@pytest.fixture(autouse=True)
def _fast_disk(monkeypatch):
    """No power fails here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def files(run: RunFolder) -> dict[str, list[str]]:
    return {table: [path.name for path in run.parts(table)] for table in PARTED}


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
