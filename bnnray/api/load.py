"""A run's tables as data frames."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Literal

from bnnray.errors import SetupError, UsageError, unknown_name
from bnnray.network import Network
from bnnray.report import AttackStatistics, Originals, Report, Scope, make_report, statistics
from bnnray.report import run_status as status_of
from bnnray.results import RunFolder, find_run, query_table

Frames = Literal["pandas", "polars"]
MODELS = "select distinct model, model_digest from results order by all"


class Run:
    """What a run has found so far; a driver may be writing to it.

    Each table is read when it is asked for first. A new ``bnnray.load`` sees what came later.

    Args:
        folder: of the run.
        frames: "pandas" or "polars".
        data_dir: searched for the data set before $BNNRAY_DATA.
    """

    def __init__(
        self, folder: RunFolder, frames: Frames = "pandas", data_dir: Path | None = None
    ) -> None:
        if frames not in ("pandas", "polars"):
            raise UsageError(unknown_name("kind of frames", frames, ["pandas", "polars"]))
        self.folder = folder
        self._frames = frames
        self._data_dir = data_dir

    @property
    def name(self) -> str:
        """Of the run."""
        return self.folder.path.resolve().name

    @cached_property
    def results(self) -> Any:
        """A row a finished unit; the columns are in docs/results.md."""
        return self.query("select * from results")

    @cached_property
    def trace(self) -> Any:
        """The anytime curves."""
        return self.query("select * from trace order by key, seconds")

    @cached_property
    def witnesses(self) -> Any:
        """The perturbed inputs, flat: integers over ``levels`` on the grid, floats on the box."""
        return self.query("select * from witnesses")

    def query(self, sql: str) -> Any:
        """Any SQL over the run's tables, as a frame.

        Raises:
            UsageError: DuckDB refuses the statement.
            RunFolderError: a file cannot be read.
            SetupError: polars is asked for and not installed.
        """
        table, _ = query_table(self.folder, sql)
        return table.to_pandas() if self._frames == "pandas" else _polars(table)

    @cached_property
    def networks(self) -> Mapping[str, Network]:
        """The exact networks that were attacked, by the models' names.

        Raises:
            RunFolderError: a network's file is gone.
        """
        originals = Originals(self.folder, self._data_dir)
        rows = query_table(self.folder, MODELS)[0].to_pylist()
        return {
            row["model"]: originals.model(row["model_digest"], row["model"]).network for row in rows
        }

    def statistics(self) -> dict[Scope, list[AttackStatistics]]:
        """The numbers that papers print, see :func:`bnnray.report.statistics`."""
        return statistics(self.folder)

    def report(self) -> Report:
        """Statistics and figures, see :func:`bnnray.report.make_report`."""
        return make_report(self.folder, self._data_dir)

    def __repr__(self) -> str:
        return f"<bnnray.Run {self.name}: {self._progress()}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: how far it is, and a line an attack."""
        names = ("done", "total", "flips", "proofs", "mean_seconds")
        head = "".join(f"<th>{escape(name)}</th>" for name in ("attack", *names))
        rows = "".join(
            f"<tr><td>{escape(a.attack)}</td>"
            + "".join(f"<td>{_cell(getattr(a, name))}</td>" for name in names)
            + "</tr>"
            for a in status_of(self.folder).attacks
        )
        return f"<p>{escape(self.name)}: {self._progress()}</p><table><tr>{head}</tr>{rows}</table>"

    def _progress(self) -> str:
        status = status_of(self.folder)
        return f"{status.done} of {status.total} units done"


def load(
    run: str | os.PathLike[str],
    *,
    frames: Frames = "pandas",
    runs_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Run:
    """Opens a run folder.

    Args:
        run: the folder, or its name in the runs folder.
        frames: what the tables are, "pandas" or "polars".
        runs_dir: the runs folder; $BNNRAY_RUNS or "runs" unless given.
        data_dir: searched for the data set before $BNNRAY_DATA.

    Raises:
        RunFolderError: there is no such run.
        UsageError: other frames.
    """
    place = Path(runs_dir or os.environ.get("BNNRAY_RUNS") or "runs")
    found = find_run(os.fspath(run), place)
    return Run(found, frames, None if data_dir is None else Path(data_dir))


def _polars(table: Any) -> Any:
    try:
        import polars
    except ImportError:
        raise SetupError(
            'frames = "polars" needs polars, which is not installed: pip install polars'
        ) from None
    return polars.from_arrow(table)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
