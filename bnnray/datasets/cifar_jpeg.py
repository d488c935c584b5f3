"""CIFAR-10 as JPEG left it. These images are not CIFAR-10.

They were decoded from JPEG files of quality 75 with subsampled colour, so every pixel can
differ from the release; they are in another order, so image numbers do not match either; and
the train set is partial, 1,000 of the 5,000 images of each class. Numbers from this data set
do not compare with published CIFAR-10 numbers, and its name must go wherever they are reported.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from bnnray.datasets.checksums import is_published, known_as
from bnnray.datasets.dataset import Dataset
from bnnray.datasets.folders import Sought, find_files, read_file
from bnnray.errors import DataError

FILES = {"train": "cifar10_jpeg_train10k.npz", "test": "cifar10_jpeg_test.npz"}
SUBFOLDERS = ("cifar10", "cifar10_jpeg", ".")


def load_cifar10_jpeg(split: str, data_dir: Path | None) -> Dataset:
    """JPEG-lossy CIFAR-10: 10,000 train and 10,000 test images (32, 32, 3), balanced.

    Image 10 * i + c is of class c, so any prefix of a multiple of 10 images is balanced too.

    Raises:
        DataError: a file that is missing, unreadable, or not the expected one by its SHA-256.
    """
    file = FILES[split]
    (path,) = find_files(sought_cifar10_jpeg(split), data_dir)
    content = read_file(path)
    if not is_published("cifar10_jpeg", file, content):
        came = known_as(content) or f"{len(content)} bytes with the wrong SHA-256"
        raise DataError(
            f"{path}: expected cifar10_jpeg's {file}; got {came}; "
            "the file is swapped, truncated or altered: copy it again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Dataset(
            name="cifar10_jpeg",
            split=split,
            images=arrays["images"],
            labels=arrays["labels"].astype(np.int64),
            levels=255,
            classes=10,
        )


def sought_cifar10_jpeg(split: str) -> Sought:
    """The file of a split."""
    return Sought(f"cifar10_jpeg {split}", (FILES[split],), SUBFOLDERS)
