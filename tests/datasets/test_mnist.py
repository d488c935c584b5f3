"""MNIST and Fashion-MNIST: the real files, and copies of them gone wrong."""

import gzip
import shutil
import struct

import numpy as np
import pytest

from bnnray.datasets import load_dataset
from bnnray.errors import DataError

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

FACTS = {
    ("mnist", "train"): (
        [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    ),
    ("mnist", "test"): (
        [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    ("fashion_mnist", "train"): ([9, 0, 0, 3, 0, 2, 7, 2, 5, 5], [6000] * 10),
    ("fashion_mnist", "test"): ([9, 2, 1, 1, 6, 1, 4, 6, 5, 7], [1000] * 10),
}


@pytest.mark.parametrize(("name", "split"), FACTS)
def test_the_real_files(real_data, name, split):
    first, counts = FACTS[name, split]
    dataset = load_dataset(name, split, real_data)
    assert (dataset.name, dataset.split) == (name, split)
    assert (dataset.shape, dataset.levels, dataset.classes) == ((28, 28), 255, 10)
    assert (dataset.images.dtype, dataset.labels.dtype) == (np.uint8, np.int64)
    assert dataset.labels[:10].tolist() == first
    assert np.bincount(dataset.labels).tolist() == counts
    assert len(dataset) == sum(counts)
    assert (dataset.images.min(), dataset.images.max()) == (0, 255)


def test_the_environment_variable_is_searched(real_data, only, monkeypatch):
    monkeypatch.setenv("BNNRAY_DATA", str(real_data))
    assert len(load_dataset("mnist", "test")) == 10_000
    assert len(load_dataset("mnist", "test", only)) == 10_000


@pytest.fixture
def mnist(real_data, only):
    """A folder with a copy of MNIST's compressed test files."""
    return copied(real_data / "mnist", only / "mnist")


def copied(source, folder):
    folder.mkdir(parents=True)
    for file in (IMAGES, LABELS):
        shutil.copy(source / f"{file}.gz", folder)
    return folder


def unpack(folder):
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    return folder


def refusal(only, name="mnist", split="test"):
    with pytest.raises(DataError) as caught:
        load_dataset(name, split, only)
    message = str(caught.value)
    assert "\n" not in message
    assert "by the published file" in message
    return message


def test_only_the_splits_two_files_are_needed(mnist, only):
    assert len(load_dataset("mnist", "test", only)) == 10_000


def test_uncompressed_files_are_the_same_data(mnist, only):
    packed = load_dataset("mnist", "test", only).digest
    unpack(mnist)
    assert load_dataset("mnist", "test", only).digest == packed


@pytest.mark.parametrize(
    ("name", "subfolder"),
    [
        ("mnist", "MNIST/raw"),
        ("fashion_mnist", "FashionMNIST/raw"),
        ("mnist", "."),
        ("fashion_mnist", "."),
    ],
)
def test_other_layouts(real_data, only, name, subfolder):
    copied(real_data / name, only / "data" / subfolder)
    assert len(load_dataset(name, "test", only / "data")) == 10_000


def test_the_cache_is_searched_last(real_data, only):
    copied(real_data / "mnist", only / "cache" / "data" / "mnist")
    assert len(load_dataset("mnist", "test")) == 10_000


def test_an_unpacked_file_under_the_compressed_name(mnist, only):
    path = mnist / f"{LABELS}.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(load_dataset("mnist", "test", only)) == 10_000


def test_truncated_gzip(mnist, only):
    path = mnist / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:1000])
    message = refusal(only)
    assert message.startswith(f"{path}: expected mnist's {IMAGES}; got a truncated .gz of 1000")


def test_truncated_content(mnist, only):
    path = unpack(mnist) / IMAGES
    path.write_bytes(path.read_bytes()[:-1])
    message = refusal(only)
    assert message.startswith(f"{path}: ")
    assert "announces 7840000 values and 7839999 follow" in message


def test_labels_where_images_belong(mnist, only):
    shutil.copy(mnist / f"{LABELS}.gz", mnist / f"{IMAGES}.gz")
    assert f"expected mnist's {IMAGES}; got mnist's {LABELS};" in refusal(only)


def test_foreign_labels_where_images_belong(mnist, only):
    labels = struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes(5)
    (mnist / f"{IMAGES}.gz").write_bytes(gzip.compress(labels))
    assert "got labels of shape (5,) where (10000, 28, 28) belongs" in refusal(only)


def test_images_where_labels_belong(mnist, only):
    shutil.copy(mnist / f"{IMAGES}.gz", mnist / f"{LABELS}.gz")
    assert f"expected mnist's {LABELS}; got mnist's {IMAGES};" in refusal(only)


def test_train_file_where_test_belongs(mnist, only, real_data):
    shutil.copy(real_data / "mnist" / "train-labels-idx1-ubyte.gz", mnist / f"{LABELS}.gz")
    assert f"expected mnist's {LABELS}; got mnist's train-labels-idx1-ubyte;" in refusal(only)


def test_altered_train_file_where_test_belongs(mnist, only, real_data):
    train = gzip.decompress((real_data / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes())
    (unpack(mnist) / LABELS).write_bytes(train[:-1] + b"\x09")
    assert "got shape (60000,) where (10000,) belongs" in refusal(only)


@pytest.mark.parametrize("file", [IMAGES, LABELS])
def test_one_altered_byte(mnist, only, file):
    path = unpack(mnist) / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    message = refusal(only)
    assert message.startswith(f"{path}: ")
    assert "got an altered file" in message


@pytest.mark.parametrize(
    ("name", "other"), [("mnist", "fashion_mnist"), ("fashion_mnist", "mnist")]
)
def test_the_other_data_sets_file_is_refused_by_name(real_data, only, name, other):
    copied(real_data / other, only / "data")
    message = refusal(only / "data", name)
    assert f"expected {name}'s {IMAGES}; got {other}'s {IMAGES};" in message


def test_a_file_that_cannot_be_read(mnist, only):
    path = mnist / f"{IMAGES}.gz"
    path.unlink()
    path.mkdir()  # permissions would not stop a test that runs as root
    with pytest.raises(DataError, match=rf"{path}: expected a readable file; got .*directory"):
        load_dataset("mnist", "test", only)


def test_one_of_two_files_is_missing(mnist, only):
    (mnist / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=f"found only {mnist / IMAGES}.gz; looked in"):
        load_dataset("mnist", "test", only)
