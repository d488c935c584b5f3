"""Some classes of a data set, as a data set of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bnnray.datasets.dataset import Dataset
from bnnray.errors import UsageError


def restrict(dataset: Dataset, classes: Sequence[int]) -> Dataset:
    """The images of these classes, in the data set's order.

    Labels become 0, 1, ... as the classes are listed, and images are numbered anew. The name says
    so wherever it is written: "mnist[3,8]".

    Args:
        dataset: one split.
        classes: labels of it.

    Raises:
        UsageError: fewer than two different classes, or one that the data set does not have.
    """
    known = range(dataset.classes)
    if len(set(classes)) < max(2, len(classes)) or not set(classes) <= set(known):
        raise UsageError(
            f"classes: expected at least two different ones of {dataset.name}'s 0 to {known[-1]}; "
            f"got {list(classes)}"
        )
    relabelled = np.full(dataset.classes, -1, dtype=np.int64)
    relabelled[list(classes)] = np.arange(len(classes))
    labels = relabelled[dataset.labels]
    kept = labels >= 0
    return dataclasses.replace(
        dataset,
        name=f"{dataset.name}[{','.join(map(str, classes))}]",
        images=dataset.images[kept],
        labels=labels[kept],
        classes=len(classes),
    )
