"""What every slot needs to know of a run, sent once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bnnray.datasets import Dataset
from bnnray.job import Unit
from bnnray.network import IntArray, Network
from bnnray.threat import Question


@dataclass(frozen=True, eq=False)
class RunContext:
    """The networks and images of a run.

    Args:
        job: name of the job.
        dataset, split: names.
        levels: what the pixels are over.
        images: flat pixels by point.
        labels: true classes by point.
        networks: by the models' names.
        threads: cores of a slot.
        versions: of the software, JSON, for every row.
    """

    job: str
    dataset: str
    split: str
    levels: int
    images: Mapping[int, IntArray]
    labels: Mapping[int, int]
    networks: Mapping[str, Network]
    threads: int
    versions: str

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
    job: str,
    data: Dataset,
    networks: Mapping[str, Network],
    units: list[Unit],
    threads: int,
    versions: str,
) -> RunContext:
    """The context of these units, with only the images that they ask about."""
    points = sorted({unit.point for unit in units})
    return RunContext(
        job=job,
        dataset=data.name,
        split=data.split,
        levels=data.levels,
        images={p: data.pixels(p) for p in points},
        labels={p: int(data.labels[p]) for p in points},
        networks=dict(networks),
        threads=threads,
        versions=versions,
    )
