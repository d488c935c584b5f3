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
from bnnray.results import Record, RunFolder, query, write_table
from bnnray.runtime.cluster import Cluster, TrainRequest
from bnnray.runtime.context import make_context
from bnnray.runtime.drain import Drain, draining
from bnnray.runtime.driver import Done, Driver
from bnnray.runtime.lease import HeldLease, LeasedSink, hold_lease
from bnnray.runtime.local import LocalCluster
from bnnray.runtime.networks import read_models, trained_models, training_splits
from bnnray.runtime.provenance import provenance, versions
from bnnray.runtime.session import Session
from bnnray.solvers import check_licence
from bnnray.verdicts import FAILED, HIT_TIME_LIMIT, Status


@dataclass(frozen=True)
class RunOptions:
    """How to run a job; none of it changes an answer.

    Args:
        runs_dir: the run folder is made here, by the job's name.
        data_dir: searched for the data set first.
        local: without Ray.
        address: of a running Ray cluster.
        grace: seconds that running units get after a drain was asked for.
    """

    runs_dir: Path
    data_dir: Path | None = None
    local: bool = False
    address: str | None = None
    grace: float = 10.0


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

    def note(self, text: str) -> None: ...

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
    with (
        hold_lease(folder.path, listener.note) as lease,
        closing(_make_cluster(options)) as cluster,
        draining() as drain,
    ):
        session = Session(folder, job.name)
        models |= _train(job, folder, splits, cluster, listener, drain, lease)
        lease.check()
        return _attack(job, options, folder, session, data, models, cluster, listener, drain, lease)


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
    lease: HeldLease,
) -> dict[str, Model]:
    def check() -> None:
        lease.check()
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
    session: Session,
    data: Dataset,
    models: dict[str, Model],
    cluster: Cluster,
    listener: RunListener,
    drain: Drain,
    lease: HeldLease,
) -> RunResult:
    networks = {name: model.network for name, model in models.items()}
    units = make_units(job, data, networks)
    digests = {name: network.digest for name, network in networks.items()}
    _write_plan(job, folder, units)
    session.describe(provenance(job.name, digests, data.digest))
    left = units_left(units, folder)
    listener.begin(len(units), len(units) - len(left))
    done = Done()
    if left:
        threads = job.resources.cpus_per_solve
        context = make_context(job, data, networks, left, versions())
        cluster.start(context, threads)
        sink = LeasedSink(cluster.sink(folder.path), lease)
        driver = Driver(cluster, sink, context, listener.finished)
        try:
            driver.run(left, drain, options.grace)
        finally:
            done = driver.done()
            session.end(done, len(left) - done.units)
    else:
        session.end(done, 0)
    return RunResult(folder, len(units), len(left) - done.units, done.failed)


def units_left(units: Sequence[Unit], folder: RunFolder) -> list[Unit]:
    """The units without a row that settles them.

    A row settles its unit unless it failed, or ended at a smaller time limit than the unit has.
    """
    answer = query(folder, "select key, status, time_limit from results")
    rows = {key: (Status(status), limit) for key, status, limit in answer.rows}
    return [unit for unit in units if not _settled(unit, rows.get(unit.key))]


def _settled(unit: Unit, row: tuple[Status, float] | None) -> bool:
    if row is None:
        return False
    status, limit = row
    return status not in FAILED and not (
        status in HIT_TIME_LIMIT and limit < unit.attack.time_limit
    )


def _write_plan(job: Job, folder: RunFolder, units: Sequence[Unit]) -> None:
    folder.write_text("job.toml", tomli_w.dumps(job.dump()))
    rows = [
        {
            "key": unit.key,
            "question": unit.question,
            "model": unit.model,
            "point": unit.point,
            "epsilon": float(unit.threat.epsilon),
            "attack": unit.attack.name,
            "time_limit": unit.attack.time_limit,
        }
        for unit in units
    ]
    write_table(folder.units, "units", rows)


def _check_licences(job: Job) -> None:
    wanting = [a.name for a in job.attack if getattr(a, "backend", None) == "gurobi"]
    if wanting:
        try:
            check_licence()
        except LicenceError as error:
            raise LicenceError(f"attack {wanting[0]!r}: {error}") from None
