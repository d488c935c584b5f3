"""What a job file says, typed. Unknown keys and impossible values are refused."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    field_validator,
    model_validator,
)

from bnnray.attacks import AttackSettings, Count, Positive
from bnnray.datasets import DATASETS
from bnnray.errors import UsageError, unknown_name
from bnnray.job.mask import Mask
from bnnray.models import Training
from bnnray.network import Quantizer, Rounding, make_quantizer
from bnnray.processes import format_bytes, parse_bytes
from bnnray.solvers import LicenceUse
from bnnray.threat import Against, Domain, Goal, Threat, Tie, format_epsilon, parse_epsilon

NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"


def _read_epsilon(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value
    try:
        return parse_epsilon(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _read_step(value: Any) -> Fraction | None:
    return None if value is None else make_quantizer(value).step


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _check_name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError("expected letters, digits and . _ + - only, as it names files")
    return value


Epsilon = Annotated[
    Fraction, BeforeValidator(_read_epsilon), PlainSerializer(format_epsilon, return_type=str)
]
Step = Annotated[Fraction, PlainSerializer(format_epsilon, return_type=str)]
SMALLEST_MEMORY = 2**29
"""Half a GiB: the packages that a search loads take most of that already."""


def _read_memory(value: Any) -> Any:
    size = parse_bytes(value) if isinstance(value, str) and value != "unlimited" else value
    if value != "unlimited" and (type(size) is not int or size < SMALLEST_MEMORY):
        raise ValueError(
            f'expected "unlimited" or a size from {format_bytes(SMALLEST_MEMORY)} on, such as '
            '"2GiB"'
        )
    return size


def _write_memory(value: int | str) -> str:
    return value if isinstance(value, str) else format_bytes(value)


Memory = Annotated[
    int | Literal["unlimited"],
    BeforeValidator(_read_memory),
    PlainSerializer(_write_memory, return_type=str),
]


def _read_tokens(value: Any) -> Any:
    if value != "unlimited" and (type(value) is not int or value < 1):
        raise ValueError('expected "unlimited" or a whole number from 1 on')
    return value


Tokens = Annotated[int | Literal["unlimited"], BeforeValidator(_read_tokens)]
"""How many licences may be held at a time."""

Seed = Annotated[StrictInt, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """Base of the job file's tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class DataSpec(Section):
    """``[data]``: which images are attacked.

    Attributes:
        dataset: a name of :data:`bnnray.datasets.DATASETS`.
        split: test or train.
        classes: only images of these labels, which become 0, 1, ... as listed, for training too;
            points then number the images that are left.
        points: how many, from the first on, or a list of numbers.
        select: "all", or "correct": only images that the model gets right.
    """

    dataset: str
    split: Literal["test", "train"] = "test"
    classes: list[StrictInt] | None = None
    points: Count | Annotated[list[StrictInt], Field(min_length=1)] = 100
    select: Literal["all", "correct"] = "all"

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(unknown_name("data set", value, DATASETS))
        return value

    @field_validator("classes")
    @classmethod
    def _different(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and (len(set(value)) < max(2, len(value)) or min(value) < 0):
            raise ValueError("expected at least two different labels from 0 on")
        return value

    @field_validator("points", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if value == []:
            raise ValueError("expected at least one point")
        return value

    @field_validator("points")
    @classmethod
    def _points(cls, value: int | list[int]) -> int | list[int]:
        if isinstance(value, list) and (min(value) < 0 or len(set(value)) < len(value)):
            raise ValueError("expected different numbers from 0 on")
        return value


class TrainSpec(Section):
    """``train = {...}`` of a model; see :class:`bnnray.models.Training`."""

    epochs: Count = 15
    batch_size: Annotated[StrictInt, Field(ge=2)] = Training.batch_size
    learning_rate: Positive = Training.learning_rate
    decay: Annotated[Positive, Field(le=1)] = Training.decay
    seed: Seed | None = None

    def training(self, seed: int) -> Training:
        """The settings of a training, with the job's seed where there is none of its own."""
        return Training(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            decay=self.decay,
            seed=seed if self.seed is None else self.seed,
        )


class ModelSpec(Section):
    """``[[model]]``: a network to train, or one to read.

    Attributes:
        name: unique in the job.
        arch: "mlp", fully connected.
        hidden: units of each hidden layer.
        output: plain integer scores, or affine ones.
        quantize: step of a quantizer that the network begins with, 1 divided by a whole number;
            none unless given.
        rounding: of the quantizer, "nearest" (half to even) or "floor".
        train: how to train it.
        path: a model file to read instead.
    """

    name: Annotated[str, BeforeValidator(_check_name)]
    arch: Literal["mlp"] = "mlp"
    hidden: Annotated[list[Count], Field(min_length=1)] | None = None
    output: Literal["plain", "affine"] = "plain"
    quantize: Annotated[Step | None, BeforeValidator(_read_step)] = None
    rounding: Rounding = Rounding.NEAREST
    train: TrainSpec | None = None
    path: Annotated[Path, PlainSerializer(str, return_type=str)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ModelSpec:
        if (self.hidden is None) == (self.path is None):
            raise ValueError("a model needs either hidden (and train) or path, not both")
        if self.path is not None and (self.train is not None or self.output != "plain"):
            raise ValueError("a model with a path is read as it is: leave out train and output")
        if self.path is not None and self.quantize is not None:
            raise ValueError("a model with a path is read as it is: leave out quantize")
        if self.quantize is None and self.rounding is not Rounding.NEAREST:
            raise ValueError("rounding only means something with quantize")
        return self

    @property
    def quantizer(self) -> Quantizer | None:
        """What the network to train begins with."""
        if self.quantize is None:
            return None
        return make_quantizer(self.quantize, self.rounding)


class ThreatSpec(Section):
    """``[threat]``: the budgets and what counts as success; see :class:`bnnray.threat.Threat`.

    Attributes:
        levels: of the grid; those of the data unless given.
        mask: which pixels may change, a rectangle or a file; all unless given.
        max_pixels: how many may change at once; any number unless given.
    """

    norm: Literal["linf"] = "linf"
    epsilon: Annotated[list[Epsilon], BeforeValidator(_listed), Field(min_length=1)]
    domain: Domain = Domain.BOX
    levels: Count | None = None
    goal: str = "runner-up"
    against: Against = Against.PREDICTED
    tie: Tie = Tie.KEEP
    mask: Mask | None = None
    max_pixels: Count | None = None

    @field_validator("goal", mode="before")
    @classmethod
    def _goal(cls, value: Any) -> Any:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise ValueError('expected "runner-up", "any" or the number of a class')
        try:
            Goal(text)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    @model_validator(mode="after")
    def _levels_need_grid(self) -> ThreatSpec:
        if self.levels is not None and self.domain is not Domain.GRID:
            raise ValueError('levels only mean something with domain = "grid"')
        if len(set(self.epsilon)) < len(self.epsilon):
            raise ValueError("epsilon lists a budget twice")
        return self

    def threat(self, epsilon: Fraction, levels: int, mask: frozenset[int] | None) -> Threat:
        """The threat of one budget on data with these levels, the mask as pixels of its images."""
        return Threat(
            epsilon=epsilon,
            domain=self.domain,
            levels=self.levels or levels,
            goal=Goal(self.goal),
            against=self.against,
            tie=self.tie,
            mask=mask,
            max_pixels=self.max_pixels,
        )


class ResourceSpec(Section):
    """``[resources]``.

    Attributes:
        cpus_per_solve: cores of a slot; the solver gets as many threads.
        memory_per_solve: cap of the resident memory of each of a slot's two processes, the
            search and the solver, in bytes; "unlimited" unless given.
        gurobi_tokens: how many units may hold a licence of Gurobi at a time; "unlimited" unless
            given, as with the licence that comes with pip.
        on_no_licence: whether a unit waits while no licence can be had, or fails.
    """

    cpus_per_solve: Count = 1
    memory_per_solve: Memory = "unlimited"
    gurobi_tokens: Tokens = "unlimited"
    on_no_licence: Literal["wait", "fail"] = "wait"

    @property
    def memory(self) -> int | None:
        """The cap of the memory in bytes, None without one."""
        return None if isinstance(self.memory_per_solve, str) else self.memory_per_solve

    @property
    def tokens(self) -> int | None:
        """How many licences there are, None without a limit."""
        return None if isinstance(self.gurobi_tokens, str) else self.gurobi_tokens

    @property
    def licence(self) -> LicenceUse:
        """What slots do about them."""
        return LicenceUse(keep=self.tokens is None, wait=self.on_no_licence == "wait")


class Job(Section):
    """A whole job file."""

    name: Annotated[str, BeforeValidator(_check_name)]
    seed: Seed = 0
    data: DataSpec
    model: Annotated[list[ModelSpec], Field(min_length=1)]
    threat: ThreatSpec
    attack: Annotated[list[AttackSettings], Field(min_length=1)]
    resources: ResourceSpec = ResourceSpec()

    @model_validator(mode="after")
    def _attacks_fit(self) -> Job:
        for model in self.model:
            if model.path is None:
                self.check_attacks(model.quantizer)
        return self

    def check_attacks(self, quantizer: Quantizer | None) -> None:
        """Refuses attacks that cannot search the threat, on a model with or without a quantizer.

        Raises:
            UsageError: which attack, and why.
        """
        for attack in self.attack:
            try:
                attack.check(self.threat.domain, self.threat.max_pixels, quantizer)
            except UsageError as error:
                raise UsageError(f"attack {attack.name!r}: {error}") from None

    def dump(self) -> dict[str, Any]:
        """Every value, as TOML can hold it."""
        written = self.model_dump(mode="json", exclude={"attack"}, exclude_none=True)
        resources = written.pop("resources")
        attacks = [a.model_dump(mode="json", exclude_none=True) for a in self.attack]
        return {**written, "attack": attacks, "resources": resources}
