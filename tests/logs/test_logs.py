"""Events and their files: lines that can be read back, bounded files, disks that are full."""

from __future__ import annotations

import json
import logging
import platform
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnnray.logs import Event, Log, LogSettings, attach, files, follow_events, read_events
from bnnray.logs import logging_to as writing
from bnnray.logs.event import LONGEST, event_of, parse_event

log = Log("tests")
WHEN = "2026-03-01T12:00:00.000Z"
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
    lambda name: name not in ("time", "level", "host", "event")
)


@given(fields=st.dictionaries(NAMES, st.text()), name=NAMES)
def test_a_line_says_the_same_in_either_format(fields, name):
    event = Event(WHEN, "INFO", "node7", name, fields)
    for line in (event.as_text(), event.as_json()):
        assert len(line.splitlines()) == 1
        assert parse_event(line) == event


def test_lines_as_people_and_programs_read_them():
    event = Event(WHEN, "WARNING", "n7", "unit_retried", {"key": "ab", "s": 0.5, "why": 'a "b"'})
    assert event.as_text() == (f'{WHEN} WARNING n7 event=unit_retried key=ab s=0.5 why="a \\"b\\""')
    assert json.loads(event.as_json()) == {
        "time": WHEN, "level": "WARNING", "host": "n7", "event": "unit_retried", "key": "ab",
        "s": 0.5, "why": 'a "b"',
    }  # fmt: skip


@pytest.mark.parametrize("line", ["", "\n", "half a li", "{", "[]", '{"time": "x"}', WHEN])
def test_what_is_no_event_is_passed_over(line):
    assert parse_event(line) is None


def test_a_record_of_any_library_is_an_event():
    record = logging.makeLogRecord({"msg": "%d units", "args": (3,), "levelname": "INFO"})
    event = event_of(record)
    assert (event.name, event.fields, event.host) == ("3 units", {}, platform.node())
    record.fields = {"text": "x" * 10_000 + "end", "nothing": None}
    (text,) = event_of(record).fields.values()
    assert text.endswith("xend")
    assert len(text) == LONGEST + 4


@pytest.mark.parametrize("style", ["text", "json"])
def test_what_is_said_is_found(tmp_path, style):
    with writing(LogSettings(tmp_path / "logs", style), "driver"):
        log.info("one", key="ab", at=1)
        log.warning("two", keys="cd,ab", trouble="a\nb")
        log.debug("never")
    log.warning("too late")
    found = read_events(tmp_path / "logs")
    assert [(e.name, e.level) for e in found] == [("one", "INFO"), ("two", "WARNING")]
    assert [e.name for e in read_events(tmp_path / "logs", key="ab")] == ["one", "two"]
    assert [e.name for e in read_events(tmp_path / "logs", key="cd")] == ["two"]
    assert read_events(tmp_path / "logs", key="a") == []
    assert read_events(tmp_path / "logs", host="elsewhere") == []
    assert read_events(tmp_path / "nowhere") == []


def test_the_files_are_bounded_and_the_newest_events_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 2000)
    for _ in range(2):  # the second run appends
        with writing(LogSettings(tmp_path), "driver"):
            for n in range(100):
                log.info("event_with_a_number", n=n)
    found = sorted(tmp_path.iterdir())
    name = f"{platform.node()}-driver.log"
    assert [path.name for path in found] == [name, f"{name}.1", f"{name}.2"]
    assert all(path.stat().st_size <= 2000 for path in found)
    numbers = [int(e.fields["n"]) for e in read_events(tmp_path)]
    assert numbers == list(range(100))[-len(numbers) :]
    assert len(numbers) > 40


def test_two_of_a_role_on_one_machine_share_the_files(tmp_path, monkeypatch):
    """Each finds the file again that the other has put aside."""
    monkeypatch.setattr(files, "LARGEST", 1000)
    root = logging.getLogger("bnnray")
    handlers = [attach(LogSettings(tmp_path), "keeper") for _ in range(2)]
    for handler in handlers:
        root.removeHandler(handler)
    for n in range(60):
        record = logging.makeLogRecord({"msg": f"event{n}", "levelname": "INFO"})
        handlers[n % 2].handle(record)
    for handler in handlers:
        handler.close()
    names = [e.name for e in read_events(tmp_path)]
    assert names[-1] == "event59"
    assert names == [f"event{n}" for n in range(60)][-len(names) :]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000


def test_a_folder_that_is_not_there_is_said_once(tmp_path, capsys):
    handler = attach(LogSettings(tmp_path / "gone"), "keeper")
    try:
        log.info("one")
        log.info("two")
    finally:
        logging.getLogger("bnnray").removeHandler(handler)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bnnray: warning: no log in ")
    assert line.endswith("keeper.log: No such file or directory; the run goes on")


def test_a_full_disk_is_said_once_and_what_comes_when_it_has_room_is_written(tmp_path, capsys):
    path = tmp_path / f"{platform.node()}-driver.log"
    path.symlink_to("/dev/full")
    with writing(LogSettings(tmp_path), "driver"):
        log.info("one")
        log.info("two")
        path.unlink()
        log.info("three")
    assert [e.name for e in read_events(tmp_path)] == ["three"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device; the run goes on" in line


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file")
    with writing(LogSettings(tmp_path / "logs"), "driver"):
        log.info("one")
    assert "Not a directory; the run goes on" in capsys.readouterr().err


def test_following_goes_on_behind_files_that_are_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 600)
    monkeypatch.setattr("bnnray.logs.reading.POLL_SECONDS", 0.001)
    over = threading.Event()
    seen = []

    def follow() -> None:
        seen.extend(e.name for e in follow_events(tmp_path, "", over.is_set))

    with writing(LogSettings(tmp_path), "driver"):
        log.info("event0")
        thread = threading.Thread(target=follow)
        thread.start()
        for n in range(1, 40):
            log.info(f"event{n}")
            threading.Event().wait(0.02)
        over.set()
        thread.join()
    assert seen == [f"event{n}" for n in range(40)]
