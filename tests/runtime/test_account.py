"""How busy the slots were."""

from __future__ import annotations

from datetime import datetime, timedelta

from bnnray.results import Record
from bnnray.runtime.account import SlotAccount, SlotUse


def record(began: float, ended: float) -> Record:
    start = datetime(2026, 1, 1)
    return Record(
        row={
            "started_at": start + timedelta(seconds=began),
            "finished_at": start + timedelta(seconds=ended),
        }
    )


def test_busy_share_and_tail_while_slots_come_and_go():
    times = iter([0.0, 0.0, 10.0, 15.0, 20.0])
    account = SlotAccount(lambda: next(times))
    account.note(4, idle=False)  # from 0 on
    account.note(2, idle=True)  # from 10 on
    account.note(2, idle=True)  # from 15 on
    account.took([record(0, 10), record(10, 12)])
    account.took([record(3, 9), record(3, 11)])  # a batch
    assert account.use() == SlotUse(
        count=4, busy_percent=100 * 20 / 60, tail_seconds=10, seconds=20
    )


def test_a_run_without_slots_was_not_busy():
    times = iter([5.0, 5.0])
    assert SlotAccount(lambda: next(times)).use() == SlotUse(0, 0, 0, 0)
