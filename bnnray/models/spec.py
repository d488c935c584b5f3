"""What a network looks like and how it is trained, without torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from bnnray.errors import UsageError, unknown_name
from bnnray.network import Quantizer

Kind = Literal["mlp"]
Output = Literal["plain", "affine"]

RECIPE_VERSION = 1
"""Raised whenever the training code changes what the same settings train to."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The layers of a network.

    Args:
        kind: the family; "mlp" is fully connected.
        hidden: units of each hidden layer, first to last.
        output: "plain" integer scores, or "affine": a scale and a shift per class.
        quantizer: what inputs pass first, or None.

    Raises:
        UsageError: an unknown name, no hidden layer, or a layer without units.
    """

    hidden: tuple[int, ...]
    kind: Kind = "mlp"
    output: Output = "plain"
    quantizer: Quantizer | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UsageError(unknown_name("kind of network", self.kind, get_args(Kind)))
        if self.output not in get_args(Output):
            raise UsageError(unknown_name("output", self.output, get_args(Output)))
        if not self.hidden or min(self.hidden) < 1:
            raise UsageError(
                "hidden must list the units of at least one layer, each at least 1; "
                f"got {list(self.hidden)}"
            )

    def described(self) -> dict[str, Any]:
        """The values as JSON has them; without a quantizer, as before there were any, none."""
        described = dataclasses.asdict(self) | {"hidden": list(self.hidden)}
        if self.quantizer is None:
            del described["quantizer"]
        return described


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained: Adam, its rate falling geometrically from step to step.

    Args:
        epochs: passes over the training split.
        batch_size: images per step, at least 2 (batch normalization needs a spread).
        learning_rate: the rate of the first step.
        decay: the rate of the last step as a share of the first's.
        seed: decides the initial weights and the order of the images.

    Raises:
        UsageError: a value out of its range.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 2e-2
    decay: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"epochs must be at least 1; got {self.epochs}")
        if self.batch_size < 2:
            raise UsageError(f"batch_size must be at least 2; got {self.batch_size}")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate must be positive; got {self.learning_rate}")
        if not 0 < self.decay <= 1:
            raise UsageError(f"decay must be above 0 and at most 1; got {self.decay}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed must be between 0 and 2**63 - 1; got {self.seed}")


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch: mean training loss and accuracy over it, seconds since the start."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class BatchRecord:
    """One finished training step; epochs and batches count from 1."""

    epoch: int
    epochs: int
    batch: int
    batches: int


class EpochListener(Protocol):
    """Is told of every finished epoch; what it raises ends the training."""

    def __call__(self, record: EpochRecord, /) -> None: ...


class BatchListener(Protocol):
    """Is told of every training step; what it raises ends the training."""

    def __call__(self, record: BatchRecord, /) -> None: ...


def training_digest(architecture: Architecture, training: Training, dataset_digest: str) -> str:
    """SHA-256 of everything that decides what is trained; equal settings give equal digests."""
    what = {
        "recipe": RECIPE_VERSION,
        "architecture": architecture.described(),
        "training": dataclasses.asdict(training),
        "dataset": dataset_digest,
    }
    text = json.dumps(what, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
