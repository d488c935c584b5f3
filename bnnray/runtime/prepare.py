"""What can be checked of a job before anything is changed: its data, models and licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken
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
        refusal: why no licence can be had now, where units will wait for one.
    """

    data: Dataset
    splits: Mapping[str, Dataset]
    models: Mapping[str, Model]
    refusal: str = ""


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
    splits, models = training_splits(job, data, data_dir), read_models(job, data)
    return Prepared(data, splits, models, _check_licences(job))


def _check_licences(job: Job) -> str:
    """Why there is no licence now, where units wait for one.

    A server that does not answer is refused for "auto" too: what it means must not depend on the
    moment.
    """
    wanting = [attack for attack in job.attack if attack.licensed]
    if not wanting:
        return ""
    named = [attack for attack in wanting if "gurobi" in attack.backends]
    try:
        check_licence()
    except LicenceTaken as refusal:
        if isinstance(refusal, LicenceServerAway) or job.resources.on_no_licence == "fail":
            raise LicenceError(f"attack {[*named, *wanting][0].name!r}: {refusal}") from None
        return f"{refusal}; units wait for one"
    except LicenceError as error:
        if named:
            raise LicenceError(f"attack {named[0].name!r}: {error}") from None
    return ""
