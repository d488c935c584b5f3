"""MNIST and Fashion-MNIST: the published IDX files, compressed or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bnnray.datasets.checksums import is_published, known_as
from bnnray.datasets.dataset import Dataset, UInt8Array
from bnnray.datasets.folders import Sought, find_files, read_file
from bnnray.datasets.idx import parse_idx, uncompressed
from bnnray.errors import DataError

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SHAPES: dict[str, tuple[int, ...]] = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
# The second is torchvision's. Both data sets name their files alike, so the folder itself may
# hold either; the checksum tells.
SUBFOLDERS = {
    "mnist": ("mnist", "MNIST/raw", "."),
    "fashion_mnist": ("fashion_mnist", "FashionMNIST/raw", "."),
}


def load_mnist(split: str, data_dir: Path | None) -> Dataset:
    """MNIST: 60,000 train and 10,000 test images (28, 28), 10 digits; 0 is background.

    Raises:
        DataError: files that are missing, unreadable, truncated, swapped or altered.
    """
    return _load("mnist", split, data_dir)


def load_fashion_mnist(split: str, data_dir: Path | None) -> Dataset:
    """Fashion-MNIST: in files, sizes and errors like MNIST, with 10 kinds of clothing."""
    return _load("fashion_mnist", split, data_dir)


def sought_mnist(split: str) -> Sought:
    """The files of a split of MNIST."""
    return _sought("mnist", split)


def sought_fashion_mnist(split: str) -> Sought:
    """The files of a split of Fashion-MNIST."""
    return _sought("fashion_mnist", split)


def _sought(name: str, split: str) -> Sought:
    return Sought(f"{name} {split}", FILES[split], SUBFOLDERS[name], endings=("", ".gz"))


def _load(name: str, split: str, data_dir: Path | None) -> Dataset:
    files = FILES[split]
    images_path, labels_path = find_files(_sought(name, split), data_dir)
    return Dataset(
        name=name,
        split=split,
        images=_read(name, files[0], images_path),
        labels=_read(name, files[1], labels_path).astype(np.int64),
        levels=255,
        classes=10,
    )


def _read(name: str, file: str, path: Path) -> UInt8Array:
    """The array of a file that must be the published one."""
    raw = read_file(path)
    try:
        content = uncompressed(raw)
        if is_published(name, file, content):
            return parse_idx(content)
        came = known_as(content) or _unlike(parse_idx(content), file)
    except ValueError as error:
        came = str(error)
    raise DataError(
        f"{path}: expected {name}'s {file}; got {came}; replace it by the published file "
        f"(a folder {name}/ keeps {name} apart from other data sets)"
    )


def _unlike(array: UInt8Array, file: str) -> str:
    """What sets an array of unknown content apart from the published one."""
    expected = SHAPES[file]
    if array.ndim != len(expected):
        kind = {1: "labels", 3: "images"}.get(array.ndim, "an array")
        return f"{kind} of shape {array.shape} where {expected} belongs"
    if array.shape != expected:
        return f"shape {array.shape} where {expected} belongs"
    return "an altered file: the right shape but the wrong SHA-256"
