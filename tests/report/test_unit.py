"""All about one unit, of a folder with known content."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from known_runs import FLIP, NOW, add, list_units, make_run, unit

from bnnray.errors import UsageError
from bnnray.logs import FOLDER, Event
from bnnray.report import is_key, unit_story
from bnnray.results import tidy

A, B, C = "a1b2c3d4" * 4, "a1b2c3ff" * 4, "0123456789abcdef" * 2


@pytest.fixture
def run(tmp_path):
    rows = [
        unit(1, key=A, **FLIP, objective=4.0),
        unit(2, key=B, status="crashed", message="it fell"),
    ]
    run = make_run(tmp_path / "job", rows, {A: [(0.0, -6), (0.5, -6), (1.0, 2), (2.0, 4)]})
    list_units(run, [*rows, unit(3, key=C)])
    return run


def test_a_point_is_short_and_a_key_is_hexadecimal():
    assert [is_key(text) for text in ("0", "99999", "123456", "a1b2c3", A)] == [
        False, False, True, True, True,
    ]  # fmt: skip
    for text in ("", "a1b2", "-1", "1.5", "A1B2C3", "a1b2c3'", "\u0663"):
        with pytest.raises(UsageError, match="expected a point, of at most 5 digits, or a unit"):
            is_key(text)


def test_a_unit_with_a_row_and_a_curve(run):
    story = unit_story(run, "a1b2c3d4")
    assert (story.key, story.row["objective"], story.planned["attack"]) == (A, 4.0, "milp")
    curve = story.curve
    assert (curve.points, curve.seconds, curve.first, curve.last) == (4, 2.0, -6.0, 4.0)
    assert (curve.improvements, story.earlier, story.log, story.again) == (2, (), (), "")


@pytest.mark.parametrize(
    ("kind", "status", "again"),
    [
        ("milp", "crashed", "failed"),
        ("milp", "licence", "failed"),
        ("milp", "time_limit", "limit"),
        ("milp", "optimal", ""),
        ("milp", "iteration_limit", "limit"),
        ("pgd", "iteration_limit", ""),
    ],
)
def test_how_a_unit_is_done_again(tmp_path, kind, status, again):
    run = make_run(tmp_path / "job", [unit(1, key=A, kind=kind, status=status)])
    assert unit_story(run, A).again == again


def test_a_unit_that_is_not_done_yet(run):
    story = unit_story(run, C)
    assert (story.row, story.curve, story.again) == (None, None, "failed")


def test_rows_that_do_not_count_any_more(run):
    add(run, [unit(2, key=B, finished_at=NOW + timedelta(hours=1), session=2)])
    tidy(run, [A, B, C], [])
    story = unit_story(run, B)
    assert story.row["status"] == "time_limit"
    assert [(row["status"], row["message"], row["reason"]) for row in story.earlier] == [
        ("crashed", "it fell", "superseded")
    ]
    tidy(run, [A, C], [])
    story = unit_story(run, B)
    assert len(story.earlier) == 2


def test_the_log_lines_of_all_hosts_in_either_format(run):
    folder = run.path / FOLDER
    folder.mkdir()

    def said(second: int, host: str, **fields) -> Event:
        return Event(f"2026-03-01T12:00:{second:02}.000000Z", "WARNING", host, "died", fields)

    (folder / "one-keeper.log").write_text(f"{said(3, 'one', key=B, try_=2).as_text()}\n")
    (folder / "one-keeper.log.1").write_text(f"{said(1, 'one', key=B, try_=1).as_text()}\n")
    (folder / "two-driver.log").write_text(
        f"{said(2, 'two', keys=f'{A},{B}').as_json()}\n{said(4, 'two', key=A).as_json()}\nhalf"
    )
    assert [e.time[17:19] for e in unit_story(run, B).log] == ["01", "02", "03"]
    found = json.loads(json.dumps(unit_story(run, B).as_json(), default=str))
    assert [e["host"] for e in found["log"]] == ["one", "two", "one"]


@pytest.mark.parametrize(
    ("digits", "message"),
    [
        ("a1b2c3", f"2 units have keys that begin with a1b2c3: {A}, {B}; give more digits"),
        ("ffffff", "has a key that begins with ffffff"),
    ],
)
def test_keys_of_no_unit_or_of_several_are_one_line(run, digits, message):
    with pytest.raises(UsageError, match=message):
        unit_story(run, digits)
