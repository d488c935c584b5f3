import shutil

import numpy as np
import pytest

from bnnray.datasets import load_dataset
from bnnray.errors import DataError

TRAIN, TEST = "cifar10_jpeg_train10k.npz", "cifar10_jpeg_test.npz"


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_real_files(real_data, split):
    dataset = load_dataset("cifar10_jpeg", split, real_data)
    assert (dataset.name, dataset.split) == ("cifar10_jpeg", split)
    assert (dataset.shape, dataset.levels, dataset.classes) == ((32, 32, 3), 255, 10)
    assert (dataset.images.dtype, dataset.labels.dtype) == (np.uint8, np.int64)
    assert dataset.labels.tolist() == list(range(10)) * 1000


def refusal(only):
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10_jpeg", "test", only)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{only / TEST}: expected cifar10_jpeg's {TEST}; got ")
    return message


def test_the_other_split_is_refused_by_name(real_data, only):
    shutil.copy(real_data / "cifar10" / TRAIN, only / TEST)
    assert f"got cifar10_jpeg's {TRAIN};" in refusal(only)


def test_a_truncated_file(real_data, only):
    (only / TEST).write_bytes((real_data / "cifar10" / TEST).read_bytes()[:-1])
    assert "got 28510061 bytes with the wrong SHA-256" in refusal(only)


def test_a_file_of_the_same_form_is_not_taken_for_it(only):
    arrays = {"images": np.zeros((10, 32, 32, 3), np.uint8), "labels": np.arange(10)}
    np.savez(only / TEST, **arrays)
    assert "wrong SHA-256" in refusal(only)
