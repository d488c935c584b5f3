"""``bnnray status``."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir
from bnnray.cli.output import PIPED_WIDTH
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged
from bnnray.cli.words import SILENT_SECONDS, count_words, driver_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bnnray.report import RunStatus
    from bnnray.submit import SlurmJob

SLURM_SECONDS = 20.0
ALL_LINES = 1_000_000
"""A height in which everything has room."""


def status(
    run: RunName,
    runs_dir: RunsDir = DEFAULT_RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until everything is done or Ctrl-C.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Show how far a run is, from its files: also from another machine, also afterwards.

    Where it was submitted to Slurm, also what Slurm says about its job, if it answers.

    Example: bnnray status quickstart --watch
    """
    from bnnray.report import run_status
    from bnnray.results import find_run

    folder = find_run(run, Path(runs_dir))
    warned: set[Path] = set()
    queue = _Queue(folder.path)

    def look() -> Look:
        found = run_status(folder)
        new = [p for p in found.problems if p.path not in warned]
        warn_of_damaged(new, LEFT_OUT)
        warned.update(p.path for p in new)
        return Look(found, queue.ask())

    if not watch:
        _print_json(look(), indent=2) if as_json else _print_page(look())
    elif sys.stdout.isatty() and not as_json:
        _redraw(look, interval)
    else:
        show = _print_json if as_json else _print_line
        _repeat(look, interval, show)


@dataclass(frozen=True)
class Look:
    """How far a run is, and what Slurm says about its job."""

    status: RunStatus
    job: SlurmJob | None


class _Queue:
    """Asks Slurm about a run's job, and not more often than Slurm likes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = -math.inf
        self._said: SlurmJob | None = None

    def ask(self) -> SlurmJob | None:
        if time.monotonic() - self._asked >= SLURM_SECONDS:
            from bnnray.submit import slurm_state

            self._said, self._asked = slurm_state(self._folder), time.monotonic()
        return self._said


def _repeat(look: Callable[[], Look], interval: float, show: Callable[[Look], None]) -> None:
    while True:
        found = look()
        show(found)
        if _is_over(found.status):
            return
        time.sleep(interval)


def _redraw(look: Callable[[], Look], interval: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()

    def show(found: Look) -> None:
        live.update(_page(found, console, console.size.height - 1), refresh=True)

    with Live(console=console, auto_refresh=False) as live:
        _repeat(look, interval, show)


def _print_page(found: Look) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    console.print(_page(found, console, ALL_LINES))


def _page(found: Look, console: Console, height: int) -> Text:
    from rich.text import Text

    from bnnray.cli.watch_page import watch_page

    slurm = str(found.job) if found.job else ""
    plain = not console.encoding.startswith("utf")
    lines = watch_page(found.status, slurm, console.size.width, height, plain=plain)
    return Text("\n").join(lines)


def _is_over(found: RunStatus) -> bool:
    driver = found.driver
    gone = driver is None or driver.dead or driver.seconds_since_sign_of_life > SILENT_SECONDS
    return found.all_done and gone


def _print_json(found: Look, indent: int | None = None) -> None:
    slurm = None if found.job is None else found.job.as_json()
    print(json.dumps({**found.status.as_json(), "slurm": slurm}, indent=indent), flush=True)


def _print_line(look: Look) -> None:
    found = look.status
    job = f"; {look.job}" if look.job else ""
    print(f"{found.run}: {driver_words(found)}; {count_words(found)}{job}", flush=True)
