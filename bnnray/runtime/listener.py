"""Who is told how far a run is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bnnray.models import EpochRecord, Model
from bnnray.results import Problem, Record


class RunListener(Protocol):
    """Is told how far a run is."""

    def note(self, text: str) -> None: ...

    def damaged(self, problems: Sequence[Problem]) -> None: ...

    def training(self, model: str, record: EpochRecord) -> None: ...

    def trained(self, model: str, result: Model) -> None: ...

    def begin(self, total: int, done: int) -> None: ...

    def finished(self, records: Sequence[Record]) -> None: ...
