import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits

from bnnray.datasets import load_dataset


@pytest.mark.parametrize(("split", "count"), [("train", 1300), ("test", 497)])
def test_sizes(split, count):
    digits = load_dataset("digits", split)
    assert (digits.name, digits.split, len(digits)) == ("digits", split, count)
    assert (digits.shape, digits.levels, digits.classes) == ((8, 8), 16, 10)
    assert (digits.images.dtype, digits.labels.dtype) == (np.uint8, np.int64)
    assert (digits.images.min(), digits.images.max()) == (0, 16)
    assert set(digits.labels.tolist()) == set(range(10))


def test_the_splits_are_scikit_learns_images_in_order():
    splits = [load_dataset("digits", split) for split in ("train", "test")]
    source = sklearn_digits()
    assert np.array_equal(np.concatenate([s.images for s in splits]), source.images)
    assert np.array_equal(np.concatenate([s.labels for s in splits]), source.target)
