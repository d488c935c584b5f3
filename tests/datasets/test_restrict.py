"""Some classes of a data set: which images, which labels, which name."""

import numpy as np
import pytest

from bnnray.datasets import Dataset, load_dataset, restrict
from bnnray.errors import UsageError


@pytest.fixture
def tiny() -> Dataset:
    return Dataset(
        name="tiny",
        split="test",
        images=np.arange(12, dtype=np.uint8).reshape(6, 2),
        labels=np.array([2, 0, 1, 2, 3, 0]),
        levels=255,
        classes=4,
    )


def test_labels_are_numbered_as_listed_and_images_keep_their_order(tiny):
    kept = restrict(tiny, [2, 0])
    assert kept.labels.tolist() == [0, 1, 0, 1]
    assert kept.images[:, 0].tolist() == [0, 2, 6, 10]
    assert kept.pixels(2).tolist() == [6, 7]
    assert (kept.name, kept.split, kept.levels, kept.classes) == ("tiny[2,0]", "test", 255, 2)
    assert len(tiny) == 6


def test_all_classes_in_order_are_the_same_images(tiny):
    assert restrict(tiny, [0, 1, 2, 3]).digest == tiny.digest


def test_the_digest_follows_classes_and_their_order(tiny):
    parts = [restrict(tiny, c).digest for c in ([0, 2], [2, 0], [0, 3], [0, 2, 3])]
    assert len({tiny.digest, *parts}) == 5


def test_a_whole_data_set_keeps_its_digest():
    """Networks of older run folders are found by it."""
    known = "168ddf17ee808eafa29777cd2ac6b7d254a387edd0a6aa0252c80b29d7abb37a"
    assert load_dataset("digits", "train").digest == known


@pytest.mark.parametrize("classes", [[], [1], [1, 1], [0, 1, 1], [0, 4], [-1, 0]])
def test_other_classes_are_refused(tiny, classes):
    with pytest.raises(UsageError, match="at least two different ones of tiny's 0 to 3; got"):
        restrict(tiny, classes)


@pytest.mark.parametrize(("split", "counts"), [("train", [6131, 5851]), ("test", [1010, 974])])
def test_threes_and_eights_of_mnist(real_data, split, counts):
    whole = load_dataset("mnist", split, real_data)
    part = load_dataset("mnist", split, real_data, classes=[3, 8])
    assert np.bincount(part.labels).tolist() == counts
    where = np.flatnonzero(np.isin(whole.labels, [3, 8]))
    assert (part.images == whole.images[where]).all()
    assert (np.array([3, 8])[part.labels] == whole.labels[where]).all()
    assert (part.name, part.shape, part.levels) == ("mnist[3,8]", (28, 28), 255)
