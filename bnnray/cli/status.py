"""``bnnray status``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir
from bnnray.cli.output import PIPED_WIDTH
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged

if TYPE_CHECKING:
    from bnnray.report import AttackStatus, RunStatus

SILENT_SECONDS = 60.0
"""A living driver has given a sign by then."""


def status(
    run: RunName,
    runs_dir: RunsDir = DEFAULT_RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until everything is done or Ctrl-C.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Show how far a run is, from its files alone: also from another machine, also afterwards.

    Example: bnnray status quickstart --watch
    """
    from bnnray.report import run_status
    from bnnray.results import find_run

    folder = find_run(run, Path(runs_dir))
    warned: set[Path] = set()

    def look() -> RunStatus:
        found = run_status(folder)
        new = [p for p in found.problems if p.path not in warned]
        warn_of_damaged(new, LEFT_OUT)
        warned.update(p.path for p in new)
        return found

    if not watch:
        _print_json(look(), indent=2) if as_json else _print_table(look())
    elif sys.stdout.isatty() and not as_json:
        _redraw(look, interval)
    else:
        show = _print_json if as_json else _print_line
        _repeat(look, interval, show)


def _repeat(
    look: Callable[[], RunStatus], interval: float, show: Callable[[RunStatus], None]
) -> None:
    while True:
        found = look()
        show(found)
        if _is_over(found):
            return
        time.sleep(interval)


def _redraw(look: Callable[[], RunStatus], interval: float) -> None:
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        _repeat(look, interval, lambda found: live.update(_page(found), refresh=True))


def _is_over(found: RunStatus) -> bool:
    driver = found.driver
    gone = driver is None or driver.dead or driver.seconds_since_sign_of_life > SILENT_SECONDS
    return found.all_done and gone


def _print_json(found: RunStatus, indent: int | None = None) -> None:
    print(json.dumps(found.as_json(), indent=indent), flush=True)


def _print_table(found: RunStatus) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(_page(found))


def _print_line(found: RunStatus) -> None:
    print(f"{found.run}: {_driver(found)}; {_counts(found)}", flush=True)


def _page(found: RunStatus) -> Any:
    from rich.console import Group
    from rich.text import Text

    parts = [Text(f"{found.run}: {_driver(found)}", style="bold"), Text(_counts(found))]
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


def _driver(found: RunStatus) -> str:
    driver = found.driver
    if driver is None:
        return "done" if found.state == "done" else "nobody runs it"
    if driver.dead:
        return f"{driver.holder} died; the same bnnray run goes on"
    age = driver.seconds_since_sign_of_life
    sign = f"last sign of life {_duration(age)} ago"
    if age > SILENT_SECONDS:
        sign += ", it may be dead"
    return f"run by {driver.holder} ({sign})"


def _counts(found: RunStatus) -> str:
    if not found.listed:
        return "no units listed yet: networks are trained first"
    text = f"{found.done} of {found.total} units done, {found.left} left, {found.failed} failed"
    causes = [("crashed", found.crashed), ("without a licence", found.licence)]
    said = ", ".join(f"{count} {name}" for name, count in causes if count)
    if said:
        text += f" ({said})"
    if found.bad_witness:
        text += f", {found.bad_witness} with a bad witness"
    if found.state == "running" and found.left:
        text += f"; {found.per_minute.recent:.1f} a minute"
    if found.eta_seconds is not None:
        text += f", about {_duration(found.eta_seconds)} to go"
    return text


def _errors(found: RunStatus) -> list[Any]:
    from rich.text import Text

    lines = [Text("the last failures:", style="bold")]
    for e in found.errors:
        what = f"{e.attack} on {e.model}, point {e.point}: {e.status}: {e.message or 'no reason'}"
        lines.append(Text(f"  {what} (key {e.key})"))
    return lines


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
