"""Warnings: one line on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnnray.results import Problem


DONE_AGAIN = "units that lost their row, trace or witness are done again"
LEFT_OUT = f"left out; the next bnnray run moves it away, and {DONE_AGAIN}"


def warn_of_damaged(problems: Sequence[Problem], what_happens: str) -> None:
    """Says that files are no parts of the run, naming the first of them; nothing where none is."""
    if problems:
        first = f"{problems[0].path} ({problems[0].reason})"
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        print(f"bnnray: warning: {first}{more}: {what_happens}", file=sys.stderr, flush=True)
