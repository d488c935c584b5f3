from pathlib import Path

import pytest

from bnnray.datasets import data_folders, load_dataset
from bnnray.errors import DataError

FILES = {
    "mnist": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "(each also with .gz)"),
    "fashion_mnist": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "(each also with .gz)"),
    "cifar10": ("test_batch.bin",),
    "cifar10_jpeg": ("cifar10_jpeg_test.npz",),
}


def test_the_order_of_data_folders(only, monkeypatch):
    monkeypatch.setenv("BNNRAY_DATA", "from-environment")
    cache = only / "cache" / "data"
    assert data_folders(Path("given")) == (Path("given"), Path("from-environment"), cache)
    assert data_folders() == (Path("from-environment"), cache)


def test_an_empty_variable_counts_as_unset(only, monkeypatch):
    monkeypatch.setenv("BNNRAY_DATA", "")
    assert data_folders() == (only / "cache" / "data",)


def test_a_folder_named_twice_is_searched_once(only, monkeypatch):
    monkeypatch.setenv("BNNRAY_DATA", "here")
    assert data_folders(Path("here")) == (Path("here"), only / "cache" / "data")


@pytest.mark.parametrize("name", FILES)
def test_missing_data_says_what_where_and_how(only, name):
    with pytest.raises(DataError) as caught:
        load_dataset(name, "test", only / "mine")
    message = str(caught.value)
    assert message.startswith(f"{name} test: ")
    assert "\n" not in message
    wanted = (*FILES[name], str(only / "mine"), str(only / "cache" / "data"))
    for part in (*wanted, "found none of them", "--data-dir", "BNNRAY_DATA"):
        assert part in message


def test_a_file_in_place_of_a_folder_is_passed_over(only):
    (only / "mnist").write_text("not a folder")
    with pytest.raises(DataError, match="found none of them"):
        load_dataset("mnist", "test", only)


def test_a_folder_that_cannot_be_searched(only, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(DataError, match="expected a readable file; got Permission denied"):
        load_dataset("mnist", "test", only)
