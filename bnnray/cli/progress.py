"""What a person sees while networks train and units run."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bnnray.cli.warn import DONE_AGAIN, warn_of_damaged

if TYPE_CHECKING:
    from bnnray.models import EpochRecord, Model
    from bnnray.results import Problem, Record

LINE_SECONDS = 10.0
"""Where there is no terminal, one line this often."""


class _Bars:
    """Bars on a terminal's standard error, or a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._printed = 0.0

    def __enter__(self) -> Any:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def _show(self, what: str, done: int, total: int, note: str, *, last: bool = False) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, note="")
        self._progress.update(self._tasks[what], completed=done, total=total, note=note)
        due = last or time.monotonic() - self._printed >= LINE_SECONDS
        if not self._live and due:
            self._printed = time.monotonic()
            print(f"{what} {done}/{total} {note}", file=sys.stderr, flush=True)


class TrainingBar(_Bars):
    """A bar with loss and accuracy of the epochs."""

    def update(self, name: str, record: EpochRecord) -> None:
        """Shows a finished epoch."""
        note = f"loss {record.loss:.3f}  accuracy {100 * record.accuracy:.2f} %"
        last = record.epoch == record.epochs
        self._show(f"train {name}", record.epoch, record.epochs, note, last=last)


class RunBars(TrainingBar):
    """Bars of a run: training, then units with flips and proofs."""

    def __init__(self) -> None:
        super().__init__()
        self._total = self._done = self._flips = self._proofs = 0

    def note(self, text: str) -> None:
        """Says what a person should know."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def training(self, model: str, record: EpochRecord) -> None:
        """Shows a finished epoch."""
        self.update(model, record)

    def trained(self, model: str, result: Model) -> None:
        """Says how good a network is."""
        accuracy = 100 * result.record["test_accuracy"]
        self._console.print(f"trained {model}: test accuracy {accuracy:.2f} %", highlight=False)

    def damaged(self, problems: Sequence[Problem]) -> None:
        """Says which files could not be read."""
        warn_of_damaged(problems, f"moved to archive/damaged; {DONE_AGAIN}")

    def begin(self, total: int, done: int) -> None:
        """Says how much there is to do."""
        self._total, self._done = total, done
        if done:
            self._console.print(f"{done} of {total} units are done already", highlight=False)
        if done < total:
            self._show("attack", done, total, "")

    def finished(self, records: Sequence[Record]) -> None:
        """Counts finished units."""
        self._done += len(records)
        self._flips += sum(bool(r.row["flipped"]) for r in records)
        self._proofs += sum(r.row["proof"] != "none" for r in records)
        note = f"{self._flips} flips  {self._proofs} proofs"
        self._show("attack", self._done, self._total, note, last=self._done == self._total)
