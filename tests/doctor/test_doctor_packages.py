"""Versions of packages against their ranges."""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.requirements import Requirement

from bnnray.doctor import Level, Setting, packages
from bnnray.doctor.packages import check_packages, check_python, judge

NUMPY = importlib.metadata.version("numpy")


@pytest.mark.parametrize(
    ("wanted", "level", "said"),
    [
        (["numpy>=1", f"packaging<{10**6}"], Level.OK, "2 packages, all within the ranges"),
        (["numpy>=1", "no-such-package>=2"], Level.FAILURE, "missing: no-such-package"),
        ([f"numpy>={10**6}"], Level.FAILURE, f"too old: numpy {NUMPY} (>={10**6})"),
        (["numpy>=1,<1.5"], Level.WARNING, f"tested with: numpy {NUMPY} (<1.5,>=1)"),
        (["numpy==1.5.*"], Level.WARNING, f"tested with: numpy {NUMPY} (==1.5.*)"),
        ([f"numpy=={10**6}"], Level.FAILURE, "too old"),
    ],
)
def test_packages(wanted, level, said):
    found = judge([Requirement(text) for text in wanted])
    assert found.level == level
    assert said in found.said


def test_what_is_installed_is_read(tmp_path):
    assert check_python(Setting(tmp_path)).level == Level.OK
    assert "packages" in check_packages(Setting(tmp_path)).said


def test_a_bnnray_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(packages, "PACKAGE", "bnnray-of-nowhere")
    for check in (check_python, check_packages):
        assert check(Setting(tmp_path)).hint == "install it: pip install ."
