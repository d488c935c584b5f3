"""The units of a job: model x point x epsilon x attack, with their content keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnray.attacks import AttackSettings
from bnnray.datasets import Dataset
from bnnray.errors import JobError, UsageError
from bnnray.job.mask import masked_pixels
from bnnray.job.spec import DataSpec, Job
from bnnray.network import Network, Quantizer
from bnnray.threat import Threat, check_fineness

KEY_VERSION = 1
LARGEST_LEVELS = 65_535
REGION = ("epsilon", "domain", "levels")
"""What of a question only says how large its region is."""


@dataclass(frozen=True)
class Unit:
    """What runs and resumes.

    Args:
        key: digest of all that can change the answer; no limits, no back end, no resources.
        question: the same without the attack.
        family: that without its budget and domain: what a region holds a larger one holds too, and
            the box what any grid holds.
        model: name of the model.
        point: number of the image in the split.
        threat: budget and goal.
        attack: the settings.
    """

    key: str
    question: str
    family: str
    model: str
    point: int
    threat: Threat
    attack: AttackSettings

    @property
    def seed(self) -> int:
        """Of every random choice: from the key, so that no other unit changes it."""
        return int(self.key[:15], 16)


def make_units(job: Job, data: Dataset, networks: Mapping[str, Network]) -> list[Unit]:
    """Every unit of a job: by attack, then model, epsilon and point, as the job lists them.

    Args:
        job: the job.
        data: the split that it names.
        networks: by the models' names.

    Raises:
        JobError: what :func:`check_job` refuses, two models that are the same network, or fewer
            correctly classified points than were asked for.
    """
    check_job(job, data)
    _check_networks(networks)
    points = {m.name: choose_points(job.data, data, networks[m.name]) for m in job.model}
    mask = masked_pixels(job.threat.mask, data.shape)
    threats = [job.threat.threat(e, data.levels, mask) for e in job.threat.epsilon]
    return [
        _unit(job, attack, model.name, networks[model.name], data, point, threat)
        for attack in job.attack
        for model in job.model
        for threat in threats
        for point in points[model.name]
    ]


def check_job(job: Job, data: Dataset) -> None:
    """Refuses what the data rules out, before any network is trained.

    Raises:
        JobError: points, a goal, grid levels or a mask that the data does not have, or what
            :func:`check_model` refuses.
    """
    masked_pixels(job.threat.mask, data.shape)
    goal, levels, points = job.threat.goal, job.threat.levels, job.data.points
    if goal.isdecimal() and int(goal) >= data.classes:
        raise JobError(f"threat.goal: {data.name} has classes 0 to {data.classes - 1}; got {goal}")
    if levels is not None and (levels % data.levels or levels > LARGEST_LEVELS):
        raise JobError(
            f"threat.levels: expected a multiple of the {data.levels} levels of {data.name}, at "
            f"most {LARGEST_LEVELS}; got {levels}"
        )
    for model in job.model:
        if model.path is None:
            check_model(job, data, model.name, model.quantizer)
    if isinstance(points, int) and points > len(data):
        raise JobError(
            f"data.points: {data.name} {data.split} has {len(data)} points; got {points}"
        )
    if isinstance(points, list) and max(points) >= len(data):
        raise JobError(
            f"data.points: {data.name} {data.split} has points 0 to {len(data) - 1}; "
            f"got {max(points)}"
        )


def check_model(job: Job, data: Dataset, model: str, quantizer: Quantizer | None) -> None:
    """Refuses a model whose quantizer, or lack of one, the threat or an attack does not allow.

    Raises:
        JobError: a quantizer finer than the grid, or what an attack does not search.
    """
    threat = job.threat.threat(job.threat.epsilon[0], data.levels, mask=None)
    try:
        check_fineness(quantizer, threat)
        job.check_attacks(quantizer)
    except UsageError as error:
        raise JobError(f"model {model!r}: {error}") from None


def choose_points(spec: DataSpec, data: Dataset, network: Network) -> list[int]:
    """The points that a checked job asks for, in order.

    Raises:
        JobError: the network gets too few of them right.
    """
    if isinstance(spec.points, list):
        return [p for p in spec.points if spec.select == "all" or _correct(data, network, p)]
    candidates: Iterator[int] = iter(range(len(data)))
    if spec.select == "correct":
        candidates = (p for p in candidates if _correct(data, network, p))
    chosen = [p for p, _ in zip(candidates, range(spec.points), strict=False)]
    if len(chosen) < spec.points:
        raise JobError(
            f"data.points: {data.name} {data.split} has {len(chosen)} correctly classified points; "
            f"got {spec.points}"
        )
    return chosen


def searches(units: Sequence[Unit]) -> list[list[Unit]]:
    """Runs of units that ask one attack about one model and threat, in their order.

    A shard may hold any units of one of them.
    """
    found: list[list[Unit]] = []
    for unit in units:
        if found and _same_search(found[-1][0], unit):
            found[-1].append(unit)
        else:
            found.append([unit])
    return found


def _same_search(a: Unit, b: Unit) -> bool:
    return (a.model, a.threat, a.attack) == (b.model, b.threat, b.attack)


def _correct(data: Dataset, network: Network, point: int) -> bool:
    predicted = network.predict(data.pixels(point)[None, :], data.levels)[0]
    return bool(predicted == data.labels[point])


def _check_networks(networks: Mapping[str, Network]) -> None:
    """Equal networks would have equal keys, and a unit's row could not name its model."""
    names: dict[str, str] = {}
    for name, network in networks.items():
        twin = names.setdefault(network.digest, name)
        if twin != name:
            raise JobError(f"model: {twin!r} and {name!r} are the same network; keep one of them")


def _unit(
    job: Job,
    attack: AttackSettings,
    model: str,
    network: Network,
    data: Dataset,
    point: int,
    threat: Threat,
) -> Unit:
    asked: dict[str, Any] = {
        "version": KEY_VERSION,
        "network": network.digest,
        "point": point,
        "input": _digest_input(data, point),
        "label": int(data.labels[point]) if threat.against.value == "label" else None,
        "norm": "linf",
        "epsilon": [threat.epsilon.numerator, threat.epsilon.denominator],
        "domain": threat.domain.value,
        "levels": threat.levels if threat.domain.value == "grid" else None,
        "goal": threat.goal.name,
        "against": threat.against.value,
        "tie": threat.tie.value,
        **_locality(threat),
    }
    if job.data.classes is not None:  # rows hold labels, and these depend on the classes' order
        asked["classes"] = job.data.classes
    return Unit(
        key=_digest({**asked, "attack": attack.content(), "seed": job.seed}),
        question=_digest(asked),
        family=_digest({k: v for k, v in asked.items() if k not in REGION}),
        model=model,
        point=point,
        threat=threat,
        attack=attack,
    )


def _locality(threat: Threat) -> dict[str, Any]:
    """What limits the pixels that change; without limits nothing, as keys had nothing once."""
    limits = {
        "mask": None if threat.mask is None else sorted(threat.mask),
        "max_pixels": threat.max_pixels,
    }
    return {name: value for name, value in limits.items() if value is not None}


def _digest_input(data: Dataset, point: int) -> str:
    pixels = np.ascontiguousarray(data.pixels(point), dtype="<i8")
    return hashlib.sha256(pixels.tobytes() + f"/{data.levels}".encode()).hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
