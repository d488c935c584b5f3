"""One job from its file to its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import tomli_w

from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import Interrupted, LicenceError
from bnnray.job import Job, Unit, check_job, make_units
from bnnray.models import EpochRecord, Model
from bnnray.results import Problem, Record, RunFolder, repair
from bnnray.runtime.cluster import Cluster, TrainRequest
from bnnray.runtime.context import make_context
from bnnray.runtime.drain import Drain, draining
from bnnray.runtime.driver import Driver
from bnnray.runtime.local import LocalCluster
from bnnray.runtime.networks import read_models, trained_models, training_splits
from bnnray.runtime.provenance import provenance, versions
from bnnray.runtime.rerun import Rerun
from bnnray.runtime.resume import resume, write_units
from bnnray.solvers import check_licence
from bnnray.verdicts import FAILED, Status


@dataclass(frozen=True)
class RunOptions:
    """How to run a job; none of it changes an answer.

    Args:
        runs_dir: the run folder is made here, by the job's name.
        data_dir: searched for the data set first.
        local: without Ray.
        address: of a running Ray cluster.
        grace: seconds that running units get after a drain was asked for.
        rerun: what is done again, beside the units without a row.
    """

    runs_dir: Path
    data_dir: Path | None = None
    local: bool = False
    address: str | None = None
    grace: float = 10.0
    rerun: Rerun = Rerun.FAILED


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Args:
        folder: the run folder.
        total: units of the job.
        left: units that are not done.
        failed: rows of this run that crashed, had no licence or a bad witness.
    """

    folder: RunFolder
    total: int
    left: int
    failed: int


class RunListener(Protocol):
    """Is told how far a run is."""

    def damaged(self, problems: Sequence[Problem]) -> None: ...

    def training(self, model: str, record: EpochRecord) -> None: ...

    def trained(self, model: str, result: Model) -> None: ...

    def begin(self, total: int, done: int) -> None: ...

    def finished(self, records: Sequence[Record]) -> None: ...


def run_job(job: Job, options: RunOptions, listener: RunListener) -> RunResult:
    """Runs what is left of a job.

    Everything that can be checked is checked before the run folder is touched.

    Raises:
        BnnrayError: what is wrong and what to do; nothing is half-written.
    """
    data = load_dataset(job.data.dataset, job.data.split, options.data_dir, job.data.classes)
    check_job(job, data)
    splits = training_splits(job, data, options.data_dir)
    models = read_models(job, data)
    _check_licences(job)
    folder = RunFolder(options.runs_dir / job.name)
    folder.claim(job.name)
    with closing(_make_cluster(options)) as cluster:
        folder.write_provenance({"job": job.name})
        with draining() as drain:
            models |= _train(job, folder, splits, cluster, listener, drain)
            return _attack(job, options, folder, data, models, cluster, listener, drain)


def _make_cluster(options: RunOptions) -> Cluster:
    if options.local:
        return LocalCluster()
    from bnnray.runtime.ray_cluster import RayCluster

    return RayCluster(options.address)


def _train(
    job: Job,
    folder: RunFolder,
    splits: Mapping[str, Dataset],
    cluster: Cluster,
    listener: RunListener,
    drain: Drain,
) -> dict[str, Model]:
    def check() -> None:
        if drain.requested:
            raise Interrupted(
                "interrupted while a network was trained; the same command trains it anew"
            )

    def train(name: str, request: TrainRequest) -> Model:
        model = cluster.train(request, lambda record: listener.training(name, record), check)
        listener.trained(name, model)
        return model

    return trained_models(job, folder.models, splits, train)


def _attack(
    job: Job,
    options: RunOptions,
    folder: RunFolder,
    data: Dataset,
    models: dict[str, Model],
    cluster: Cluster,
    listener: RunListener,
    drain: Drain,
) -> RunResult:
    networks = {name: model.network for name, model in models.items()}
    units = make_units(job, data, networks)
    digests = {name: network.digest for name, network in networks.items()}
    listener.damaged(repair(folder))
    left = resume(folder, units, options.rerun, lambda: _write_plan(job, folder, units))
    folder.write_provenance(provenance(job.name, digests, data.digest))
    listener.begin(len(units), len(units) - len(left))
    failed = 0

    def on_records(records: Sequence[Record]) -> None:
        nonlocal failed
        failed += sum(Status(r.row["status"]) in FAILED for r in records)
        listener.finished(records)

    finished = 0
    if left:
        threads = job.resources.cpus_per_solve
        context = make_context(job.name, data, networks, left, threads, versions())
        pools = cluster.start(context, threads)
        driver = Driver(cluster, pools, cluster.sink(folder.path), context, on_records)
        finished = driver.run(left, drain, options.grace)
    return RunResult(folder, len(units), len(left) - finished, failed)


def _write_plan(job: Job, folder: RunFolder, units: Sequence[Unit]) -> None:
    folder.write_text("job.toml", tomli_w.dumps(job.dump()))
    write_units(folder, units)


def _check_licences(job: Job) -> None:
    wanting = [a.name for a in job.attack if getattr(a, "backend", None) == "gurobi"]
    if wanting:
        try:
            check_licence()
        except LicenceError as error:
            raise LicenceError(f"attack {wanting[0]!r}: {error}") from None
