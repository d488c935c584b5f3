"""Train a model, and write down how well it did."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from bnnray.datasets import Dataset
from bnnray.errors import ModelError
from bnnray.models.model import Model
from bnnray.models.spec import (
    Architecture,
    BatchListener,
    EpochListener,
    EpochRecord,
    Training,
    training_digest,
)
from bnnray.network import Network, Quantizer

if TYPE_CHECKING:
    from bnnray.models.training import Samples

CHUNK = 2000
"""Images per exact prediction, to bound memory."""


def train_model(
    architecture: Architecture,
    training: Training,
    train: Dataset,
    test: Dataset,
    on_epoch: EpochListener | None = None,
    device: str | None = None,
    *,
    on_batch: BatchListener | None = None,
) -> Model:
    """Train on one split and measure the exact network on both.

    The record has: architecture, training, seed, dataset_digest (of the training split),
    test_digest, training_digest, loss and accuracy (lists, one entry per epoch, in training
    form), train_accuracy and test_accuracy (of the exact network), seconds, device, torch.

    Args:
        device: a torch device; by default a GPU if there is one.
        on_epoch, on_batch: are told how far the training is.

    Raises:
        ModelError: splits of different data sets, or a training that diverged.
        UsageError: a device that is not there.
    """
    import torch

    from bnnray.models import training as trainer
    from bnnray.models.export import export_network

    _check_splits(train, test)
    trained = trainer.train(
        architecture,
        training,
        _samples(train, architecture.quantizer),
        device=device,
        on_epoch=on_epoch,
        on_batch=on_batch,
    )
    network = export_network(trained.network, train.shape, architecture.quantizer)
    record: dict[str, Any] = {
        "architecture": architecture.described(),
        "training": dataclasses.asdict(training),
        "seed": training.seed,
        "dataset_digest": train.digest,
        "test_digest": test.digest,
        "training_digest": training_digest(architecture, training, train.digest),
        **_curves(trained.epochs),
        "train_accuracy": accuracy(network, train),
        "test_accuracy": accuracy(network, test),
        "device": trained.device,
        "torch": str(torch.__version__),
    }
    return Model(network, train.name, train.levels, record)


def accuracy(network: Network, dataset: Dataset) -> float:
    """The share of a data set's images that the exact network gets right."""
    numerators = dataset.images.reshape(len(dataset), -1)
    correct = 0
    for start in range(0, len(numerators), CHUNK):
        part = slice(start, start + CHUNK)
        predicted = network.predict(numerators[part].astype(np.int64), dataset.levels)
        correct += int((predicted == dataset.labels[part]).sum())
    return correct / len(numerators)


def _check_splits(train: Dataset, test: Dataset) -> None:
    for what in ("name", "shape", "levels", "classes"):
        left, right = getattr(train, what), getattr(test, what)
        if left != right:
            raise ModelError(
                f"both splits must be of one data set; their {what} differ: {left!r}, {right!r}"
            )


def _samples(dataset: Dataset, quantizer: Quantizer | None) -> Samples:
    """The images as the first layer is to see them: the quantizer's levels where there is one."""
    import torch

    from bnnray.models.training import Samples

    images, levels = torch.tensor(dataset.images.reshape(len(dataset), -1)), dataset.levels
    if quantizer is not None:
        small = np.uint8 if quantizer.steps < 256 else np.int32
        table = quantizer.levels(np.arange(levels + 1), levels).astype(small)
        images, levels = torch.tensor(table)[images.int()], quantizer.steps
    return Samples(images, torch.tensor(dataset.labels), levels, dataset.classes)


def _curves(epochs: tuple[EpochRecord, ...]) -> dict[str, Any]:
    return {
        "loss": [round(epoch.loss, 6) for epoch in epochs],
        "accuracy": [round(epoch.accuracy, 6) for epoch in epochs],
        "seconds": round(epochs[-1].seconds, 3),
    }
