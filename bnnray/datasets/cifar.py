"""CIFAR-10, the published binary version.

A record is 1 label byte and 3072 pixel bytes: the red, then the green, then the blue plane of
32 x 32. No checksum is published for the single files, so their contents are checked by
structure alone: length, labels and images per class. Altered pixels pass.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bnnray.datasets.dataset import Dataset, UInt8Array
from bnnray.datasets.folders import Sought, find_files, read_file
from bnnray.errors import DataError

FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
SUBFOLDERS = ("cifar10/cifar-10-batches-bin", "cifar-10-batches-bin", "cifar10", ".")
CLASSES = 10
RECORDS = 10_000
RECORD_BYTES = 1 + 3 * 32 * 32
REMEDY = "replace it by the file of the published binary version (cifar-10-binary.tar.gz)"


def load_cifar10(split: str, data_dir: Path | None) -> Dataset:
    """CIFAR-10: 50,000 train and 10,000 test images (32, 32, 3), red, green, blue.

    Raises:
        DataError: files that are missing, unreadable, of the wrong length, with labels above
            9, or without 1,000 test or 5,000 train images of each class.
    """
    paths = find_files(sought_cifar10(split), data_dir)
    batches = [_read_batch(path) for path in paths]
    labels = np.concatenate([batch[:, 0] for batch in batches]).astype(np.int64)
    _check_balance(np.bincount(labels, minlength=CLASSES).tolist(), paths)
    return Dataset(
        name="cifar10",
        split=split,
        images=np.ascontiguousarray(np.concatenate([_channel_last(batch) for batch in batches])),
        labels=labels,
        levels=255,
        classes=CLASSES,
    )


def sought_cifar10(split: str) -> Sought:
    """The files of a split."""
    return Sought(f"cifar10 {split}", FILES[split], SUBFOLDERS)


def _read_batch(path: Path) -> UInt8Array:
    """The records of a file, (10000, 3073)."""
    content = read_file(path)
    if len(content) != RECORDS * RECORD_BYTES:
        raise DataError(
            f"{path}: expected {RECORDS * RECORD_BYTES} bytes, {RECORDS} records of "
            f"{RECORD_BYTES}; got {len(content)}; {REMEDY}"
        )
    records = np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD_BYTES)
    foreign = np.flatnonzero(records[:, 0] >= CLASSES)
    if foreign.size:
        raise DataError(
            f"{path}: expected labels 0 to {CLASSES - 1}; got {records[foreign[0], 0]} in "
            f"record {foreign[0]}; {REMEDY}"
        )
    return records


def _check_balance(counts: list[int], paths: tuple[Path, ...]) -> None:
    each = len(paths) * RECORDS // CLASSES
    if any(count != each for count in counts):
        raise DataError(
            f"{', '.join(map(str, paths))}: expected {each} images of each class; got {counts}; "
            "a file may be another one's copy: unpack the published binary version "
            "(cifar-10-binary.tar.gz) again"
        )


def _channel_last(records: UInt8Array) -> UInt8Array:
    """The images of records (n, 3073), (n, 32, 32, 3)."""
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
