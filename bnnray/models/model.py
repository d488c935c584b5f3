"""A network with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnnray.errors import ModelError
from bnnray.network import Network


@dataclass(frozen=True, eq=False)
class Model:
    """A network, the data that it is for, and how it came about.

    Args:
        network: the exact network.
        dataset: name of the data set that it was trained on.
        levels: its pixels are k / levels.
        record: JSON values; of a trained model the settings, losses and accuracies, see
            :func:`bnnray.models.train_model`; of an imported one ``{"imported_from": file}``.

    Raises:
        ModelError: levels below 1.
    """

    network: Network
    dataset: str
    levels: int
    record: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ModelError(f"levels must be at least 1; got {self.levels}")

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.network.classes

    @property
    def digest(self) -> str:
        """SHA-256 of everything that can change a score."""
        return self.network.digest
