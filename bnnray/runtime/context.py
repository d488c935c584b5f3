"""What every slot needs to know of a run, sent once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bnnray.attacks import make_attack
from bnnray.datasets import Dataset
from bnnray.job import Job, Unit
from bnnray.logs import LogSettings
from bnnray.network import IntArray, Network
from bnnray.solvers import LicenceUse
from bnnray.threat import Question


@dataclass(frozen=True, eq=False)
class RunContext:
    """The networks and images of a run.

    Args:
        job: name of the job.
        session: which time that it is run, from 1 on.
        dataset, split: names.
        levels: what the pixels are over.
        images: flat pixels by point.
        labels: true classes by point.
        networks: by the models' names.
        threads: cores of a slot.
        memory: cap of the resident memory of each process of a slot, in bytes; infinite for none.
        modules: what the attacks need loaded.
        versions: of the software, JSON, for every row.
        licence: what slots do about Gurobi's.
        log: where keepers say what happens; None for nowhere.
    """

    job: str
    session: int
    dataset: str
    split: str
    levels: int
    images: Mapping[int, IntArray]
    labels: Mapping[int, int]
    networks: Mapping[str, Network]
    threads: int
    memory: float
    modules: tuple[str, ...]
    versions: str
    licence: LicenceUse = field(default_factory=LicenceUse)
    log: LogSettings | None = None

    def about(self, units: Sequence[Unit]) -> RunContext:
        """The same for these units only, and without networks if there are units."""
        points = {unit.point for unit in units}
        return replace(
            self,
            images={p: self.images[p] for p in points},
            labels={p: self.labels[p] for p in points},
            networks={} if units else self.networks,
        )

    def question(self, unit: Unit) -> Question:
        """The question of a unit."""
        return Question(
            network=self.networks[unit.model],
            pixels=self.images[unit.point],
            levels=self.levels,
            label=self.labels[unit.point],
            threat=unit.threat,
        )


def make_context(
    job: Job,
    session: int,
    data: Dataset,
    networks: Mapping[str, Network],
    units: Sequence[Unit],
    versions: str,
    log: LogSettings,
) -> RunContext:
    """The context of these units of a job, with only the images that they ask about."""
    points = sorted({unit.point for unit in units})
    memory = job.resources.memory
    attacks = [make_attack(attack) for attack in job.attack]
    return RunContext(
        job=job.name,
        session=session,
        dataset=data.name,
        split=data.split,
        levels=data.levels,
        images={p: data.pixels(p) for p in points},
        labels={p: int(data.labels[p]) for p in points},
        networks=dict(networks),
        threads=job.resources.cpus_per_solve,
        memory=math.inf if memory is None else memory,
        modules=tuple(sorted({module for attack in attacks for module in attack.modules})),
        versions=versions,
        licence=job.resources.licence,
        log=log,
    )
