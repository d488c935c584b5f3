"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bnnray.datasets.cifar import load_cifar10, sought_cifar10
from bnnray.datasets.cifar_jpeg import load_cifar10_jpeg, sought_cifar10_jpeg
from bnnray.datasets.dataset import SPLITS, Dataset
from bnnray.datasets.digits import load_digits
from bnnray.datasets.folders import Sought, locate
from bnnray.datasets.mnist import (
    load_fashion_mnist,
    load_mnist,
    sought_fashion_mnist,
    sought_mnist,
)
from bnnray.datasets.restrict import restrict
from bnnray.errors import UsageError, unknown_name

Loader = Callable[[str, Path | None], Dataset]

DATASETS: dict[str, Loader] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "cifar10_jpeg": load_cifar10_jpeg,
}

SOUGHT: dict[str, Callable[[str], Sought]] = {
    "mnist": sought_mnist,
    "fashion_mnist": sought_fashion_mnist,
    "cifar10": sought_cifar10,
    "cifar10_jpeg": sought_cifar10_jpeg,
}
"""The files of each data set that has any, by its split."""


def load_dataset(
    name: str,
    split: str,
    data_dir: Path | None = None,
    classes: Sequence[int] | None = None,
) -> Dataset:
    """One split of a data set, read from disk and checked; nothing is downloaded.

    Args:
        name: a key of ``DATASETS``.
        split: "train" or "test".
        data_dir: searched before $BNNRAY_DATA and the user's cache.
        classes: only images of these labels, see :func:`bnnray.datasets.restrict`.

    Raises:
        UsageError: an unknown name or split, or classes that the data set does not have.
        DataError: files that are missing, unreadable, truncated, swapped or altered.
    """
    if name not in DATASETS:
        raise UsageError(unknown_name("data set", name, DATASETS))
    if split not in SPLITS:
        raise UsageError(unknown_name("split", split, SPLITS))
    dataset = DATASETS[name](split, data_dir)
    return dataset if classes is None else restrict(dataset, classes)


def dataset_folders(name: str, data_dir: Path | None = None) -> dict[str, Path]:
    """The folder of the files of each split that is there; nothing is read.

    Args:
        name: a key of ``SOUGHT``.
        data_dir: searched before $BNNRAY_DATA and the user's cache.

    Raises:
        DataError: a folder cannot be looked into.
    """
    folders = {split: locate(SOUGHT[name](split), data_dir) for split in SPLITS}
    return {split: folder for split, folder in folders.items() if folder is not None}
