"""``bnnray status``."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir
from bnnray.cli.output import PIPED_WIDTH
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged
from bnnray.cli.words import SILENT_SECONDS, count_words, driver_words

if TYPE_CHECKING:
    from bnnray.report import AttackStatus, RunStatus
    from bnnray.submit import SlurmJob

SLURM_SECONDS = 20.0


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
        _print_json(look(), indent=2) if as_json else _print_table(look())
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
    from rich.text import Text

    from bnnray.cli.watch_page import watch_page

    console = Console()
    plain = not console.encoding.startswith("utf")

    def show(found: Look) -> None:
        slurm = str(found.job) if found.job else ""
        size = console.size
        lines = watch_page(found.status, slurm, size.width, size.height - 1, plain=plain)
        live.update(Text("\n").join(lines), refresh=True)

    with Live(console=console, auto_refresh=False) as live:
        _repeat(look, interval, show)


def _is_over(found: RunStatus) -> bool:
    driver = found.driver
    gone = driver is None or driver.dead or driver.seconds_since_sign_of_life > SILENT_SECONDS
    return found.all_done and gone


def _print_json(found: Look, indent: int | None = None) -> None:
    slurm = None if found.job is None else found.job.as_json()
    print(json.dumps({**found.status.as_json(), "slurm": slurm}, indent=indent), flush=True)


def _print_table(found: Look) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(_page(found))


def _print_line(look: Look) -> None:
    found = look.status
    job = f"; {look.job}" if look.job else ""
    print(f"{found.run}: {driver_words(found)}; {count_words(found)}{job}", flush=True)


def _page(look: Look) -> Any:
    from rich.console import Group
    from rich.text import Text

    found = look.status
    parts = [Text(f"{found.run}: {driver_words(found)}", style="bold"), Text(count_words(found))]
    if look.job is not None:
        parts += [Text(str(look.job))]
    if found.attacks:
        parts += [Text(), _table(found)]
    if found.archived_rows:
        parts += [Text(), Text(f"{found.archived_rows} rows are put aside in archive/")]
    if found.errors:
        parts += [Text(), *_errors(found)]
    return Group(*parts)


def _table(found: RunStatus) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    names = ["attack", "done", "of", "%", "flips", "proofs", "failed"]
    running = ["per minute now"] if found.state == "running" else []
    for name in [*names, "mean s", "per minute", *running]:
        table.add_column(name, justify="left" if name == "attack" else "right", no_wrap=True)
    for attack in found.attacks:
        now = [f"{attack.per_minute.recent:.1f}"] if running else []
        table.add_row(*_cells(attack), *now)
    return table


def _cells(attack: AttackStatus) -> list[str]:
    return [
        attack.attack,
        str(attack.done),
        str(attack.total),
        f"{100 * attack.done / attack.total:.0f}",
        str(attack.flips),
        str(attack.proofs),
        str(attack.failed),
        "" if attack.mean_seconds is None else f"{attack.mean_seconds:.2f}",
        f"{attack.per_minute.whole:.1f}",
    ]


def _errors(found: RunStatus) -> list[Any]:
    from rich.text import Text

    lines = [Text("the last failures:", style="bold")]
    for e in found.errors:
        what = f"{e.attack} on {e.model}, point {e.point}: {e.status}: {e.message or 'no reason'}"
        lines.append(Text(f"  {what} (key {e.key})"))
    return lines
