"""Data sets: there, in part, altered, not there."""

from __future__ import annotations

import pytest

from bnnray.datasets import DATASETS
from bnnray.doctor import Level, Setting
from bnnray.doctor.data import NAMES, check_data

LABELS = "t10k-labels-idx1-ubyte.gz"
IMAGES = "t10k-images-idx3-ubyte.gz"


@pytest.fixture
def only(tmp_path, monkeypatch):
    """A data folder; no other is looked into."""
    monkeypatch.delenv("BNNRAY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_every_data_set_is_looked_for():
    assert list(NAMES) == list(DATASETS)


def test_mnist_is_found_and_fashion_mnist_is_not(only, real_data):
    (only / "mnist").symlink_to(real_data / "mnist")
    found = check_data("mnist", Setting(only, data_dir=only))
    assert (found.level, found.said) == (Level.OK, str(only / "mnist"))
    missing = check_data("fashion_mnist", Setting(only, data_dir=only))
    assert missing.level == Level.NOTE
    assert missing.said == f"not in {only} or {only / 'cache' / 'bnnray' / 'data'}"


def test_half_a_data_set_is_a_note(only, real_data):
    (only / "mnist").mkdir()
    for name in (IMAGES, LABELS):
        (only / "mnist" / name).symlink_to(real_data / "mnist" / name)
    found = check_data("mnist", Setting(only, data_dir=only))
    assert (found.level, found.said) == (Level.NOTE, f"only the test images: {only / 'mnist'}")


def test_a_damaged_file_is_a_warning_that_names_it(only, real_data):
    (only / "mnist").mkdir()
    for name in (IMAGES, LABELS):
        (only / "mnist" / name).write_bytes((real_data / "mnist" / LABELS).read_bytes())
    found = check_data("mnist", Setting(only, data_dir=only))
    assert found.level == Level.WARNING
    assert found.said.startswith("expected mnist's t10k-images-idx3-ubyte; got ")
    assert found.hint == str(only / "mnist" / IMAGES)


def test_digits_need_nothing(only):
    assert check_data("digits", Setting(only)).level == Level.OK
