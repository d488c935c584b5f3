"""What a run attacked: its networks and images, and the questions that its rows answer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import ModelError, RunFolderError
from bnnray.models import SUFFIX, Model, load_model
from bnnray.results import RunFolder
from bnnray.threat import Against, Domain, Goal, Question, Threat, Tie, Witness

ASKED = """r.model, r.model_digest, r.dataset, r.split, r.point, r.eps_num, r.eps_den, r.domain,
r.levels, r.goal, r.against, r.tie, r.max_pixels"""
"""What of results, named r, says what was asked."""

FOUND = "w.grid, w.box"
"""What of witnesses, named w, holds the input."""


@dataclass(frozen=True)
class Originals:
    """The networks and images of a run.

    Args:
        run: the folder.
        data_dir: searched for the data set before $BNNRAY_DATA.
    """

    run: RunFolder
    data_dir: Path | None = None

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """By the digests of their networks; files that cannot be read are left out."""
        found = {}
        for path in self._paths():
            try:
                model = load_model(path)
            except ModelError:
                continue
            found[model.digest] = model
        return found

    def model(self, digest: str, name: str) -> Model:
        """The model of a digest.

        Raises:
            RunFolderError: its file is gone.
        """
        if digest not in self.models:
            raise RunFolderError(
                f"the network {name!r} that was attacked is neither in {self.run.models} nor where "
                "job.toml says; put its file back"
            )
        return self.models[digest]

    def data(self, name: str, split: str) -> Dataset:
        """A split by its name in the rows, such as "mnist" or "mnist[3,8]".

        Raises:
            DataError: its files are missing or damaged.
        """
        return self._read[name, split]

    def question(self, row: Mapping[str, Any]) -> Question:
        """The question that a row with the columns :data:`ASKED` answers.

        A mask is not in the rows, so the question has none.

        Raises:
            DataError: the data set is missing or damaged.
            RunFolderError: the network's file is gone.
        """
        data = self.data(row["dataset"], row["split"])
        return Question(
            network=self.model(row["model_digest"], row["model"]).network,
            pixels=data.pixels(row["point"]),
            levels=data.levels,
            label=int(data.labels[row["point"]]),
            threat=_threat(row, data.levels),
        )

    @cached_property
    def _read(self) -> _Splits:
        return _Splits(self.data_dir)

    def _paths(self) -> Iterator[Path]:
        yield from sorted(self.run.models.glob(f"*{SUFFIX}"))
        try:
            job = tomllib.loads((self.run.path / "job.toml").read_text())
        except (OSError, ValueError):
            return
        yield from (Path(m["path"]) for m in job.get("model", []) if "path" in m)


class _Splits(dict[tuple[str, str], Dataset]):
    """Splits that were read, by name and split."""

    def __init__(self, data_dir: Path | None) -> None:
        super().__init__()
        self._data_dir = data_dir

    def __missing__(self, key: tuple[str, str]) -> Dataset:
        name, split = key
        match = re.fullmatch(r"(\w+)(?:\[([\d,]+)\])?", name)
        if match is None:
            raise RunFolderError(f"a row names the data set {name!r}; this bnnray knows none such")
        classes = None if match[2] is None else [int(c) for c in match[2].split(",")]
        self[key] = load_dataset(match[1], split, self._data_dir, classes)
        return self[key]


def witness_of(row: Mapping[str, Any]) -> Witness:
    """The perturbed input in a row with the columns ``grid`` and ``box``, flat."""
    if row["grid"] is not None:
        return np.asarray(row["grid"], dtype=np.int64)
    return np.asarray(row["box"], dtype=np.float64)


def _threat(row: Mapping[str, Any], levels: int) -> Threat:
    return Threat(
        epsilon=Fraction(row["eps_num"], row["eps_den"]),
        domain=Domain(row["domain"]),
        levels=row["levels"] or levels,
        goal=Goal(row["goal"]),
        against=Against(row["against"]),
        tie=Tie(row["tie"]),
        max_pixels=row["max_pixels"],
    )
