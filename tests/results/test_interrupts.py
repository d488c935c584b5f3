"""Ctrl-C ends a statement of DuckDB, and is nothing else than a KeyboardInterrupt."""

from __future__ import annotations

import os
import signal
import threading

import duckdb
import pytest

from bnnray.results.interrupts import interruptible

ENDLESS = "select sum(a.range * b.range) from range(1000000) a, range(1000000) b"


def ask_interruptibly(sql: str) -> None:
    with duckdb.connect(":memory:") as connection, interruptible(connection):
        connection.execute(sql).fetchall()


def press_soon() -> threading.Timer:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_ctrl_c_ends_a_statement():
    press_soon()
    with pytest.raises(KeyboardInterrupt):
        ask_interruptibly(ENDLESS)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_is_there_stays():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        timer = press_soon()
        ask_interruptibly("select sum(range) from range(100000000)")
        timer.join()
        assert pressed == [True]
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_pass():
    with pytest.raises(duckdb.Error, match="nowhere"):
        ask_interruptibly("select * from nowhere")
