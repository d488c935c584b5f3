"""Which units are done again: the rule, case by case."""

from __future__ import annotations

from typing import get_args

import pytest

from bnnray.cli.run import RerunChoice
from bnnray.runtime.rerun import Ended, Limits, Rerun, is_due
from bnnray.verdicts import Status, Verdict

GIB = 2**30
TEN = Limits(10)


def due(
    status: Status,
    verdict: Verdict = Verdict.VULNERABLE,
    *,
    had: Limits = TEN,
    has: Limits = TEN,
    complete: bool = True,
) -> set[str]:
    ended = Ended(status, verdict, had, complete)
    return {rule.value for rule in Rerun if is_due(rule, ended, has)}


EVERY = {"failed", "unknown", "limit", "all"}


@pytest.mark.parametrize("rule", Rerun)
def test_a_unit_without_a_row_is_always_run(rule):
    assert is_due(rule, None, Limits(10))


@pytest.mark.parametrize("status", [Status.CRASHED, Status.LICENCE])
def test_what_failed_is_done_again_unless_never(status):
    assert due(status, Verdict.UNKNOWN) == EVERY


@pytest.mark.parametrize(
    "status",
    [Status.OPTIMAL, Status.INFEASIBLE, Status.FLIP_FOUND, Status.LOCAL_OPTIMUM, Status.SKIPPED],
)
def test_what_ended_by_itself_is_done_again_if_unknown_or_all(status):
    assert due(status, has=Limits(20)) == {"all"}
    assert due(status, Verdict.ROBUST) == {"all"}
    assert due(status, Verdict.UNKNOWN) == {"unknown", "all"}


@pytest.mark.parametrize("status", [Status.TIME_LIMIT, Status.KILLED])
def test_a_larger_time_limit(status):
    assert due(status, has=Limits(20)) == EVERY
    assert due(status) == due(status, has=Limits(5)) == {"limit", "all"}
    assert due(status, Verdict.UNKNOWN) == {"unknown", "limit", "all"}


def test_a_larger_memory_limit():
    capped = Limits(10, GIB)
    assert due(Status.MEMORY_LIMIT, had=capped, has=Limits(10, 2 * GIB)) == EVERY
    assert due(Status.MEMORY_LIMIT, had=capped, has=Limits(10)) == EVERY
    for now in (capped, Limits(20, GIB), Limits(10, GIB // 2)):
        assert due(Status.MEMORY_LIMIT, had=capped, has=now) == {"limit", "all"}
    assert due(Status.MEMORY_LIMIT, had=Limits(10), has=capped) == {"limit", "all"}
    assert due(Status.TIME_LIMIT, had=capped, has=Limits(10)) == {"limit", "all"}


def test_the_iterations_of_an_attack_that_cannot_prove_are_no_limit():
    assert due(Status.ITERATION_LIMIT, complete=False) == {"all"}
    assert due(Status.ITERATION_LIMIT, complete=True) == {"limit", "all"}
    assert due(Status.NODE_LIMIT) == {"limit", "all"}


def test_the_command_line_offers_every_rule():
    assert list(get_args(RerunChoice)) == [rule.value for rule in Rerun]
