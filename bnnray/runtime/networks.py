"""The networks of a job: read, or trained once into the run folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import ModelError
from bnnray.job import Job, ModelSpec, TrainSpec, check_model
from bnnray.models import (
    SUFFIX,
    Architecture,
    Model,
    load_model,
    save_model,
    training_digest,
)
from bnnray.runtime.cluster import TrainRequest

Trainer = Callable[[str, TrainRequest], Model]
"""Trains the network of a model's name."""


def read_models(job: Job, data: Dataset) -> dict[str, Model]:
    """The models that a job names by path, checked against the data, the threat and the attacks.

    Raises:
        ModelError: a file that is missing, damaged or does not fit.
        JobError: a model that the threat or an attack does not allow.
    """
    read = {spec.name: load_model(spec.path) for spec in job.model if spec.path is not None}
    for name, model in read.items():
        check_fit(name, model, data)
        check_model(job, data, name, model.network.quantizer)
    return read


def training_splits(job: Job, data: Dataset, data_dir: Path | None) -> dict[str, Dataset]:
    """Both splits of the data where the job trains a network, else none.

    Args:
        job: the job.
        data: the split that is attacked, already read.
        data_dir: searched for the other one first.

    Raises:
        DataError: the other split is missing or damaged.
    """
    if all(spec.path is not None for spec in job.model):
        return {}
    others = {"train", "test"} - {data.split}
    spec = job.data
    read = {s: load_dataset(spec.dataset, s, data_dir, spec.classes) for s in others}
    return {**read, data.split: data}


def trained_models(
    job: Job, folder: Path, splits: Mapping[str, Dataset], train: Trainer
) -> dict[str, Model]:
    """The models that a job trains. One that the folder has is never trained again.

    Args:
        job: the job.
        folder: where models are kept, one file for each training digest.
        splits: from :func:`training_splits`.
        train: called for what the folder does not have.

    Raises:
        ModelError: a file in the folder is damaged.
    """
    wanted = [spec for spec in job.model if spec.path is None]
    return {spec.name: _one(spec, job.seed, folder, splits, train) for spec in wanted}


def check_fit(name: str, model: Model, data: Dataset) -> None:
    """Refuses a model that takes other images than the data has.

    Raises:
        ModelError: another number of pixels, levels or classes.
    """
    got = (model.network.pixels, model.levels, model.network.classes)
    want = (math.prod(data.shape), data.levels, data.classes)
    if got != want:
        raise ModelError(
            f"the model {name!r} does not fit {data.name}: the data has pixels, levels and classes "
            f"{want}, the model takes {got}; name its own data set or another model"
        )


def _one(
    spec: ModelSpec, seed: int, folder: Path, splits: Mapping[str, Dataset], train: Trainer
) -> Model:
    request = _request(spec, seed, splits)
    digest = training_digest(request.architecture, request.training, request.train.digest)
    path = folder / f"{spec.name}-{digest[:8]}{SUFFIX}"
    if path.exists():
        return load_model(path)
    model = train(spec.name, request)
    save_model(model, path)
    return model


def _request(spec: ModelSpec, seed: int, splits: Mapping[str, Dataset]) -> TrainRequest:
    assert spec.hidden is not None
    settings = spec.train or TrainSpec()
    return TrainRequest(
        architecture=Architecture(
            kind="mlp", hidden=tuple(spec.hidden), output=spec.output, quantizer=spec.quantizer
        ),
        training=settings.training(seed),
        train=splits["train"],
        test=splits["test"],
    )
