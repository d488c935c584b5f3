"""The digits that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bnnray.datasets.dataset import Dataset

TRAIN_IMAGES = 1300


def load_digits(split: str, data_dir: Path | None) -> Dataset:
    """8 x 8 digits with pixels 0 ... 16; part of scikit-learn, so ``data_dir`` is not used.

    The split is ours: of the 1,797 images in scikit-learn's order, the first 1,300 are the
    train images and the other 497 the test images.
    """
    from sklearn.datasets import load_digits as load

    bunch = load()
    part = slice(TRAIN_IMAGES) if split == "train" else slice(TRAIN_IMAGES, None)
    return Dataset(
        name="digits",
        split=split,
        images=bunch.images[part].astype(np.uint8),
        labels=bunch.target[part].astype(np.int64),
        levels=16,
        classes=10,
    )
