"""The data set's own shape, and the way names lead to it."""

import subprocess
import sys

import numpy as np
import pytest

from bnnray.datasets import DATASETS, Dataset, load_dataset
from bnnray.errors import DataError, UsageError


def made(**changes):
    values = {
        "name": "made",
        "split": "test",
        "images": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
        "labels": np.array([1, 0]),
        "levels": 255,
        "classes": 2,
    }
    return Dataset(**(values | changes))


def test_a_point_is_flat_int64_in_c_order():
    pixels = made().pixels(1)
    assert pixels.dtype == np.int64
    assert pixels.tolist() == list(range(12, 24))


@pytest.mark.parametrize("point", [-1, 2])
def test_a_point_outside_is_refused(point):
    with pytest.raises(UsageError, match=f"points 0 to 1; got {point}"):
        made().pixels(point)


def test_shape_and_length():
    assert made().shape == (2, 2, 3)
    assert len(made()) == 2


def test_digest_follows_everything_it_covers():
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert made().digest == made(name="other", split="train").digest
    assert len(made().digest) == 64
    others = [
        made(labels=np.array([0, 1])),
        made(images=images.reshape(2, 12)),
        made(images=images[::-1]),
    ]
    assert len({made().digest, *(other.digest for other in others)}) == 4


def test_digest_does_not_depend_on_memory_layout():
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert made(images=np.asfortranarray(images)).digest == made().digest


def test_arrays_cannot_be_changed():
    dataset = made()
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 1


def test_labels_must_fit_the_images():
    with pytest.raises(DataError, match=r"2 images need labels of shape \(2,\); got \(3,\)"):
        made(labels=np.zeros(3, np.int64))


def test_unknown_data_set():
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        load_dataset("minst", "test")


@pytest.mark.parametrize("name", DATASETS)
def test_unknown_split(name):
    with pytest.raises(UsageError, match="unknown split 'validation'; valid: test, train"):
        load_dataset(name, "validation")


def test_import_leaves_heavy_packages_alone():
    code = (
        "import sys, bnnray.datasets; "
        "print({'sklearn', 'platformdirs', 'torch', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
