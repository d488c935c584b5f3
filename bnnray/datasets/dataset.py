"""One split of a data set, in integers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.errors import DataError, UsageError
from bnnray.network import IntArray

UInt8Array = npt.NDArray[np.uint8]

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images; pixel k stands for k / levels.

    Both arrays are made read-only, so that the digest stays true.

    Args:
        name: such as "mnist", or "mnist[3,8]" where only these classes were kept.
        split: "train" or "test".
        images: uint8 (n, *shape), values 0 ... levels; colour images are (32, 32, 3).
        labels: int64 (n,), values 0 ... classes - 1.
        levels: what the pixels are over.
        classes: how many classes there are.

    Raises:
        DataError: as many labels as images are expected, and other numbers came.
    """

    name: str
    split: str
    images: UInt8Array
    labels: IntArray
    levels: int
    classes: int

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.images),):
            raise DataError(
                f"{self.name} {self.split}: {len(self.images)} images need labels of shape "
                f"({len(self.images)},); got {self.labels.shape}"
            )
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.images.shape[1:]

    def pixels(self, point: int) -> IntArray:
        """One image, flattened in C order, (pixels,) int64; colour images channel last.

        Raises:
            UsageError: a point that the split does not have.
        """
        if not 0 <= point < len(self):
            raise UsageError(
                f"{self.name} {self.split} has points 0 to {len(self) - 1}; got {point}"
            )
        return self.images[point].reshape(-1).astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the images and labels, their types and shapes included."""
        h = hashlib.sha256()
        for array in (self.images, self.labels):
            h.update(f"{array.dtype.str}{array.shape}".encode())
            h.update(np.ascontiguousarray(array).data)
        return h.hexdigest()
