"""The page of ``bnnray status --watch``: the whole text, at every size."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from bnnray.cli.watch_page import watch_page
from bnnray.report import AttackStatus, RunState, RunStatus
from bnnray.report.status import DriverStatus, FailedUnit, Flip
from bnnray.report.tally import Rates
from bnnray.results.now import Now, RunningShard

GOLDEN = Path(__file__).parents[1] / "golden"
AT = datetime(2026, 3, 1, 12)


def seconds_ago(seconds: float) -> datetime:
    return AT - timedelta(seconds=seconds)


def attack(name: str, total: int, done: int, failed: int = 0, **changes) -> AttackStatus:
    known = AttackStatus(
        attack=name, total=total, done=done, failed=failed, crashed=failed, licence=0,
        bad_witness=0, flips=done // 2, proofs=done // 3, mean_seconds=1.234,
        per_minute=Rates(12.34, 10.0), eta_seconds=200.0,
    )  # fmt: skip
    return replace(known, **changes)


def shard(number: int, *points: int) -> RunningShard:
    return RunningShard("milp", "2x100", points, 0.01, 1 + number % 2, "node7", 30.0 - number)


ATTACKS = (
    attack("pgd", 1000, 1000, proofs=0, mean_seconds=0.41, eta_seconds=0.0),
    attack("milp", 1000, 333, 2),
    attack("iprop-with-a-long-name-that-somebody-chose", 1000, 0, mean_seconds=None),
)

FULL = RunStatus(
    run="khalil_small",
    folder="runs/khalil_small",
    at=AT,
    state=RunState.RUNNING,
    listed=True,
    total=3000,
    done=1333,
    left=1665,
    failed=2,
    crashed=2,
    licence=0,
    bad_witness=0,
    archived_rows=0,
    per_minute=Rates(123.4, 100.0),
    eta_seconds=754.0,
    eta_range=(600.0, 1500.0),
    driver=DriverStatus(
        "process 4242 on node7, Slurm job 99",
        "node7",
        4242,
        "99",
        "2026-03-01T11:20:00+00:00",
        3.0,
        dead=False,
    ),
    now=Now(16, 16, 1649, tuple(shard(n, n, *range(n % 3)) for n in range(16))),
    attacks=ATTACKS,
    flips=tuple(
        Flip(f"{n}a5c0ffee", "milp", "2x100", 17 * n, 0.005, 12.0 * n, seconds_ago(5 * n))
        for n in range(5)
    ),
    errors=tuple(
        FailedUnit(
            f"{n}bad0c0de",
            "milp",
            "2x100",
            3 * n,
            "crashed",
            "3 attempts; the last: the slot's process was ended by SIGSEGV",
            seconds_ago(60 * n),
        )
        for n in range(2)
    ),
    problems=(),
)


def page(found: RunStatus, width: int, height: int, **options) -> list[str]:
    slurm = "Slurm job 99 is RUNNING on node[7-8] for 40:12 of 2:00:00"
    return [line.plain for line in watch_page(found, slurm, width, height, **options)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 50), (160, 50)])
def test_the_page_is_this(width, height):
    found = "\n".join(page(FULL, width, height)) + "\n"
    assert found == (GOLDEN / f"watch-{width}x{height}.txt").read_text()


@pytest.mark.parametrize("width", [*range(40, 130), 160, 300])
def test_nothing_is_too_wide_and_no_number_is_cut(width):
    lines = page(FULL, width, 60)
    assert max(map(cell_len, lines)) <= width
    whole = {word for line in page(FULL, 300, 60) for word in line.split()}
    for line in lines:
        words = line.split()
        digits = [w for w in words if any(c.isdigit() for c in w) and not w.endswith("...")]
        assert set(digits) <= whole


@pytest.mark.parametrize("height", range(1, 70))
def test_it_is_never_too_high_and_what_matters_stays(height):
    lines = page(FULL, 80, height)
    assert len(lines) <= height
    assert lines[0] == "khalil_small  running"
    text = "\n".join(lines)
    assert ("failures" in text) >= ("flips, the" in text) or height > 17
    if height >= 15:
        assert "milp " in text


def test_more_attacks_than_lines():
    many = replace(FULL, attacks=tuple(attack(f"a{n}", 10, n) for n in range(11)))
    lines = page(many, 80, 14)
    assert len(lines) == 14
    assert lines[-1] == "and 6 more attacks"
    assert len([line for line in lines if line.startswith("a") and "/10" in line]) == 5


def test_only_ascii_where_the_terminal_has_no_more():
    assert all(line.isascii() for line in page(FULL, 80, 50, plain=True))
    assert any("━" in line for line in page(FULL, 80, 50))


def test_before_the_units_are_listed_and_when_nobody_is_there():
    empty = replace(
        FULL, listed=False, attacks=(), flips=(), errors=(), now=None, eta_seconds=None,
        eta_range=None,
    )  # fmt: skip
    lines = page(empty, 80, 24)
    assert lines[:3] == [
        "khalil_small  running",
        "no units listed yet: networks are trained first",
        "40 min so far",
    ]
    strange = replace(FULL, driver=replace(FULL.driver, since="yesterday"))
    assert "so far" not in "\n".join(page(strange, 80, 24))
    alone = replace(FULL, state=RunState.STOPPED, driver=None, now=None, eta_seconds=None)
    text = "\n".join(page(alone, 80, 24))
    assert "nobody runs it" in text
    assert "to go" not in text


def test_what_a_solver_says_does_not_move_the_cursor():
    bad = replace(FULL.errors[0], message="\x1b[2Jgone\nhere")
    text = "\n".join(page(replace(FULL, errors=(bad,)), 160, 60))
    assert "crashed:  [2Jgone here" in text
