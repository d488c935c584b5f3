"""What signals ask of a run, and when it looks."""

from __future__ import annotations

import os
import signal

import pytest

from bnnray.errors import Interrupted, SetupError
from bnnray.runtime import drain as drain_module
from bnnray.runtime.drain import draining


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted_twice() -> None:
    with draining():
        press()
        try:
            press()
        except KeyboardInterrupt:
            raise SetupError("a compiled wait failed") from None


def interrupted_and_failed() -> None:
    with draining():
        press()
        raise SetupError("another reason")


def test_the_first_signal_is_noted():
    with draining() as drain:
        drain.check("in vain")
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (drain.requested, drain.at_once) == (True, False)
        with pytest.raises(Interrupted, match="interrupted amid a test"):
            drain.check("amid a test")


def test_ctrl_c_twice_is_noted_where_something_is_written():
    with draining() as drain:
        with drain.noting():
            press()
            press()
            assert drain.at_once
        with pytest.raises(KeyboardInterrupt):
            drain.check("in vain")


def test_ctrl_c_twice_is_ctrl_c_whatever_is_made_of_it():
    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()


def test_errors_are_what_they_are_without_a_second_signal():
    with pytest.raises(SetupError, match="another reason"):
        interrupted_and_failed()


def test_the_last_results_get_some_time(monkeypatch):
    with draining() as drain, drain.noting():
        drain.check_last()
        press()
        drain.check_last()
        press()
        drain.check_last()
        monkeypatch.setattr(drain_module, "LAST_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            drain.check_last()
