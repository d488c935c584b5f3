"""The job file and the units that it stands for."""

from bnnray.job.listing import ListedJob, list_jobs
from bnnray.job.load import LoadedJob, first_error, load_job
from bnnray.job.spec import DataSpec, Job, ModelSpec, ThreatSpec, Tokens, TrainSpec
from bnnray.job.units import Unit, check_job, check_model, make_units, searches

__all__ = [
    "DataSpec",
    "Job",
    "ListedJob",
    "LoadedJob",
    "ModelSpec",
    "ThreatSpec",
    "Tokens",
    "TrainSpec",
    "Unit",
    "check_job",
    "check_model",
    "first_error",
    "list_jobs",
    "load_job",
    "make_units",
    "searches",
]
