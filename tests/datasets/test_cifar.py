"""CIFAR-10's binary version: generated files of the right structure, and each corruption."""

import numpy as np
import pytest

from bnnray.datasets import load_dataset
from bnnray.errors import DataError

RECORDS, RECORD_BYTES = 10_000, 3073


def records(shift=0):
    """Balanced records; the first image's bytes tell its planes, rows and columns apart."""
    made = np.zeros((RECORDS, RECORD_BYTES), np.uint8)
    made[:, 0] = (np.arange(RECORDS) + shift) % 10
    planes = made[0, 1:].reshape(3, 32, 32)
    planes[:] = np.array([0, 64, 128])[:, None, None] + np.arange(32)[:, None]
    planes[:, 5, 7] = [201, 202, 203]
    return made


@pytest.fixture
def folder(only):
    made = only / "cifar-10-batches-bin"
    made.mkdir()
    return made


@pytest.fixture
def batch_path(folder):
    path = folder / "test_batch.bin"
    path.write_bytes(records().tobytes())
    return path


def refusal(only, split="test"):
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", split, only)
    message = str(caught.value)
    assert "\n" not in message
    assert "published binary version" in message
    return message


def test_a_test_batch(batch_path, only):
    dataset = load_dataset("cifar10", "test", only)
    assert (dataset.name, dataset.split, len(dataset)) == ("cifar10", "test", 10_000)
    assert (dataset.shape, dataset.levels, dataset.classes) == ((32, 32, 3), 255, 10)
    assert (dataset.images.dtype, dataset.labels.dtype) == (np.uint8, np.int64)
    assert dataset.images.flags.c_contiguous
    assert dataset.labels[:12].tolist() == [*range(10), 0, 1]


def test_pixels_become_channel_last(batch_path, only):
    dataset = load_dataset("cifar10", "test", only)
    assert dataset.images[0, 5, 7].tolist() == [201, 202, 203]
    assert dataset.images[0, 9, 3].tolist() == [9, 73, 137]
    assert dataset.pixels(0)[(5 * 32 + 7) * 3 + 2] == 203


def test_train_batches_come_in_order_and_balance_as_a_whole(folder, only):
    for number in range(1, 6):
        batch = records(shift=number)
        batch[1, 1] = number
        if number == 1:
            batch[3, 0] = 5
        if number == 2:
            batch[3, 0] = 4  # makes up for batch 1, where record 3 had label 4
        (folder / f"data_batch_{number}.bin").write_bytes(batch.tobytes())
    dataset = load_dataset("cifar10", "train", only)
    assert len(dataset) == 50_000
    assert dataset.images[1::10_000, 0, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert dataset.labels[::10_000].tolist() == [1, 2, 3, 4, 5]

    (folder / "data_batch_2.bin").write_bytes((folder / "data_batch_1.bin").read_bytes())
    message = refusal(only, "train")
    assert "expected 5000 images of each class; got [5000, 5000, 5000, 5000, 4998, 5002" in message

    (folder / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"found only .*data_batch_1\.bin, "):
        load_dataset("cifar10", "train", only)


@pytest.mark.parametrize("subfolder", ["cifar10/cifar-10-batches-bin", "cifar10", "."])
def test_other_layouts(batch_path, only, subfolder):
    (only / "data" / subfolder).mkdir(parents=True)
    batch_path.rename(only / "data" / subfolder / "test_batch.bin")
    assert len(load_dataset("cifar10", "test", only / "data")) == 10_000


@pytest.mark.parametrize(
    "length", [0, 1000, RECORDS * RECORD_BYTES - 1, RECORDS * RECORD_BYTES + 1]
)
def test_wrong_length(batch_path, only, length):
    content = batch_path.read_bytes()
    batch_path.write_bytes((content + b"!")[:length])
    message = refusal(only)
    assert message.startswith(f"{batch_path}: expected 30730000 bytes, 10000 records of 3073; ")
    assert f"got {length};" in message


def test_a_label_above_nine(batch_path, only):
    batch = records()
    batch[17, 0] = 10
    batch_path.write_bytes(batch.tobytes())
    assert f"{batch_path}: expected labels 0 to 9; got 10 in record 17;" in refusal(only)


def test_an_unbalanced_test_batch(batch_path, only):
    batch = records()
    batch[0, 0] = 9
    batch_path.write_bytes(batch.tobytes())
    message = refusal(only)
    assert message.startswith(f"{batch_path}: expected 1000 images of each class; got [999, ")


def test_a_missing_class_is_unbalanced_too(batch_path, only):
    batch = records()
    batch[batch[:, 0] == 9, 0] = 0
    batch_path.write_bytes(batch.tobytes())
    assert "1000, 0]" in refusal(only)
