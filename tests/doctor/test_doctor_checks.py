"""Whatever happens to a check is its finding."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bnnray.doctor import Finding, Level, Setting, checks, examine
from bnnray.errors import SlurmError


def fails(error):
    def check(setting):
        raise error

    return check


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error"), "[Errno 5] Input/output error"),
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
        (SlurmError("squeue gave no answer\nat all"), "squeue gave no answer"),
        (OSError(), "OSError: "),
    ],
)
def test_what_a_check_raises_is_its_failure(monkeypatch, error, said):
    monkeypatch.setattr(checks, "CHECKS", {"first": fails(error), "second": lambda _: FINE})
    first, second = examine(Setting(Path("runs")))
    assert (first.check, first.level, first.said) == ("first", Level.FAILURE, said)
    assert second == Finding(Level.OK, "fine", check="second")


FINE = Finding(Level.OK, "fine")


def test_a_check_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(checks, "SECONDS", 2.0)
    over = threading.Event()
    monkeypatch.setattr(checks, "CHECKS", {"hangs": lambda _: over.wait(), "next": lambda _: FINE})
    hangs, after = examine(Setting(Path("runs")))
    over.set()
    assert (hangs.level, hangs.said) == (Level.FAILURE, "no answer within 2 s")
    assert after.said == "fine"
