"""What can be checked of a job before anything is changed: its data, models and licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnnray.attacks import AttackSettings
from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import LicenceError
from bnnray.job import Job, check_job
from bnnray.models import Model
from bnnray.runtime.networks import read_models, training_splits
from bnnray.solvers import check_licence


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job that was checked, with what it reads.

    Args:
        data: the split that is attacked.
        splits: what networks are trained on; empty where none is.
        models: those that the job names by path.
    """

    data: Dataset
    splits: Mapping[str, Dataset]
    models: Mapping[str, Model]


def prepare(job: Job, data_dir: Path | None) -> Prepared:
    """Reads what a job needs and checks it; changes nothing.

    Args:
        job: the job.
        data_dir: searched for the data set first.

    Raises:
        BnnrayError: what is wrong and what to do.
    """
    data = load_dataset(job.data.dataset, job.data.split, data_dir, job.data.classes)
    check_job(job, data)
    prepared = Prepared(data, training_splits(job, data, data_dir), read_models(job, data))
    _check_licences(job)
    return prepared


def _check_licences(job: Job) -> None:
    wanting = [a.name for a in job.attack if any(map(_wants_gurobi, a.searches))]
    if wanting:
        try:
            check_licence()
        except LicenceError as error:
            raise LicenceError(f"attack {wanting[0]!r}: {error}") from None


def _wants_gurobi(settings: AttackSettings) -> bool:
    return getattr(settings, "backend", None) == "gurobi"
