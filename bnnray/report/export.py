"""A run's results for other programs: CSV, or the witnesses as NumPy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bnnray.errors import UsageError
from bnnray.files import write_file
from bnnray.report.originals import Originals
from bnnray.results import RunFolder, read, write_csv

RESULTS = "select * from results order by model, epsilon, attack, point, key"

WITNESSES = """
select r.key, r.dataset, r.split, r.point, r.label, r.model, r.attack, r.epsilon, r.predicted,
       r.target, r.adversarial_class, r.verdict, r.flipped, r.objective, w.levels, w.grid, w.box
from results r join witnesses w using (key)
order by r.model, r.epsilon, r.attack, r.point, r.key
"""

PLAIN = (
    "key", "dataset", "split", "point", "label", "model", "attack", "epsilon", "predicted",
    "target", "adversarial_class", "verdict", "flipped", "objective",
)  # fmt: skip
"""Columns that become an array each."""


def export_csv(run: RunFolder, path: Path) -> int:
    """Writes the table results, a row a finished unit, and says how many there are.

    Raises:
        StorageError: the file cannot be written.
        RunFolderError: a file of the run cannot be read.
    """
    table = read(run, lambda tables: tables.arrow(RESULTS))
    write_csv(path, table)
    return len(table)


def export_npz(run: RunFolder, path: Path, data_dir: Path | None = None) -> int:
    """Writes every finished unit's perturbed input with what is known of it, and says how many.

    The arrays have one entry a unit: those of :data:`PLAIN`, ``perturbed`` and ``original``, both
    float64 (units, pixels) in [0, 1]. On the grid the pixels are k / levels.

    Raises:
        UsageError: there is no witness, or the run's images have different sizes.
        DataError: the data set is missing or damaged.
        StorageError: the file cannot be written.
        RunFolderError: a file of the run cannot be read.
    """
    rows = read(run, lambda tables: tables.arrow(WITNESSES).to_pylist())
    if not rows:
        raise UsageError(f"{run.path} has no witnesses yet: no unit is finished")
    originals = Originals(run, data_dir)
    arrays = {name: np.array([row[name] for row in rows]) for name in PLAIN}
    arrays["perturbed"] = np.stack([_perturbed(row) for row in rows])
    arrays["original"] = np.stack([_original(row, originals) for row in rows])
    write_file(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    return len(rows)


def _perturbed(row: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    if row["grid"] is None:
        return np.array(row["box"], dtype=np.float64)
    return np.array(row["grid"], dtype=np.float64) / row["levels"]


def _original(row: dict[str, Any], originals: Originals) -> np.ndarray[Any, np.dtype[np.float64]]:
    data = originals.data(row["dataset"], row["split"])
    return data.pixels(row["point"]) / data.levels
