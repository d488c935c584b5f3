"""One job from its file to its results."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from bnnray.datasets import Dataset
from bnnray.errors import StorageError
from bnnray.job import Job, Unit, make_units
from bnnray.logs import FOLDER, Format, Level, Log, LogSettings, logging_to
from bnnray.models import Model
from bnnray.network import Network
from bnnray.results import RunFolder, repair
from bnnray.runtime.cluster import Cluster, TrainRequest
from bnnray.runtime.context import RunContext, make_context
from bnnray.runtime.drain import Drain, draining
from bnnray.runtime.driver import Done, Driver
from bnnray.runtime.lease import HeldLease, LeasedSink, hold_lease
from bnnray.runtime.licences import Licences
from bnnray.runtime.listener import RunListener
from bnnray.runtime.local import LocalCluster
from bnnray.runtime.logged import LoggedListener, logging_failure
from bnnray.runtime.networks import trained_models
from bnnray.runtime.nodes import ONE_NODE, NodeWait, wait_for_nodes
from bnnray.runtime.now_file import NowFile, telling
from bnnray.runtime.prepare import prepare
from bnnray.runtime.provenance import provenance, versions
from bnnray.runtime.rerun import Rerun
from bnnray.runtime.resume import resume, write_units
from bnnray.runtime.session import Session

log = Log("run")

BEFORE = "before anything was attacked; the same command starts again"


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
        nodes: of the Ray cluster to wait for.
        log_format, log_level: see :class:`bnnray.logs.LogSettings`.
        dashboard: with Ray's dashboard, where no running cluster is named.
    """

    runs_dir: Path
    data_dir: Path | None = None
    local: bool = False
    address: str | None = None
    grace: float = 10.0
    rerun: Rerun = Rerun.FAILED
    nodes: NodeWait = ONE_NODE
    log_format: Format = "text"
    log_level: Level = "info"
    dashboard: bool = False


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Args:
        folder: the run folder.
        total: units of the job.
        left: units that are not done.
        failed: units that crashed or had no licence, in this session.
    """

    folder: RunFolder
    total: int
    left: int
    failed: int


def run_job(job: Job, options: RunOptions, listener: RunListener) -> RunResult:
    """Runs what is left of a job.

    Everything that can be checked is checked before the run folder is touched.

    Raises:
        BnnrayError: what is wrong and what to do; nothing is half-written.
    """
    with draining() as drain:
        prepared = prepare(job, options.data_dir)
        drain.check(BEFORE)
        if prepared.refusal:
            listener.note(prepared.refusal)
        folder = RunFolder(options.runs_dir / job.name)
        folder.claim(job.name)
        logs = LogSettings((folder.path / FOLDER).resolve(), options.log_format, options.log_level)
        with (
            hold_lease(folder.path, listener.note) as lease,
            logging_to(logs, "driver"),
            logging_failure(),
        ):
            listener = LoggedListener(listener)
            drain.check(BEFORE)
            with closing(_make_cluster(job.name, options)) as cluster:
                if cluster.dashboard:
                    listener.note(f"Ray's dashboard is at {cluster.dashboard}")
                drain.check(BEFORE)
                wait_for_nodes(cluster, options.nodes, listener.note, lambda: drain.check(BEFORE))
                session = Session(folder, job.name)
                log.info("session_began", job=job.name, session=session.number, pid=os.getpid())
                run = _Run(job, options, listener, folder, session, lease, cluster, drain, logs)
                models = {**prepared.models, **run.train(prepared.splits)}
                lease.check()
                networks = {name: model.network for name, model in models.items()}
                return run.attack(prepared.data, networks)


def _make_cluster(run: str, options: RunOptions) -> Cluster:
    if options.local:
        return LocalCluster()
    from bnnray.runtime.ray_cluster import RayCluster

    return RayCluster(options.address, run, dashboard=options.dashboard)


@dataclass(frozen=True)
class _Run:
    """A job that holds its folder and its cluster."""

    job: Job
    options: RunOptions
    listener: RunListener
    folder: RunFolder
    session: Session
    lease: HeldLease
    cluster: Cluster
    drain: Drain
    logs: LogSettings

    def train(self, splits: Mapping[str, Dataset]) -> dict[str, Model]:
        """The models that the job trains."""
        return trained_models(self.job, self.folder.models, splits, self._train_one)

    def _train_one(self, name: str, request: TrainRequest) -> Model:
        model = self.cluster.train(
            request, lambda record: self.listener.training(name, record), self._check_training
        )
        self.listener.trained(name, model)
        return model

    def _check_training(self) -> None:
        self.lease.check()
        self.drain.check("while a network was trained; the same command trains it anew")

    def attack(self, data: Dataset, networks: Mapping[str, Network]) -> RunResult:
        """Lists the units and runs those that are left."""
        self.drain.check(BEFORE)
        with self.drain.noting():
            units = make_units(self.job, data, networks)
            left = self._resume(units)
            digests = {name: network.digest for name, network in networks.items()}
            self.session.describe(provenance(self.job.name, digests, data.digest))
        self.listener.begin(len(units), len(units) - len(left))
        done = self._search(left, data, networks)
        return RunResult(self.folder, len(units), len(left) - done.units, done.failed)

    def _search(self, left: Sequence[Unit], data: Dataset, networks: Mapping[str, Network]) -> Done:
        if not left:
            self._note(Done(), 0)
            return Done()
        self.drain.check(BEFORE)
        number = self.session.number
        context = make_context(self.job, number, data, networks, left, versions(), self.logs)
        with telling(self.folder.path) as now, self.drain.noting():
            driver = self._driver(context, now)
            try:
                driver.run(left, self.drain, self.options.grace)
                return driver.done()
            finally:
                self._note(driver.done(), len(left))

    def _note(self, done: Done, left: int) -> None:
        """Says in run.json what came of it, where that is possible; nothing depends on it."""
        log.info(
            "session_ended",
            session=self.session.number,
            units=done.units,
            failed=done.failed,
            retried=done.retried,
            left=left - done.units,
            seconds=done.slots.seconds,
        )
        if not self.lease.lost:
            with suppress(StorageError):
                self.session.end(done, left - done.units)

    def _resume(self, units: Sequence[Unit]) -> list[Unit]:
        """The units that are left, with the folder brought in line with the job."""
        self.listener.damaged(repair(self.folder))
        write = functools.partial(_write_plan, self.job, self.folder, units)
        memory = self.job.resources.memory
        return resume(self.folder, units, memory, self.options.rerun, write)

    def _driver(self, context: RunContext, now: NowFile) -> Driver:
        self.cluster.start(context, self.job.resources.cpus_per_solve)
        sink = self.cluster.sink(self.folder.path, self.drain.check_last)
        sink = LeasedSink(sink, self.lease)
        licences = Licences(self.job.resources.tokens, self.listener.note)
        monitor = self.cluster.monitor(self.job.name)
        return Driver(
            self.cluster,
            sink,
            context,
            self.listener.finished,
            licences=licences,
            now=now,
            monitor=monitor,
        )


def _write_plan(job: Job, folder: RunFolder, units: Sequence[Unit]) -> None:
    folder.write_text("job.toml", tomli_w.dumps(job.dump()))
    write_units(folder, units, job.resources.memory)
