"""The page of ``bnnray status --watch``: a function of what is known, a width and a height."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from bnnray.cli.columns import Bars, Column, cut, lay_out
from bnnray.cli.words import (
    UNLISTED,
    driver_words,
    duration,
    eta_words,
    failed_words,
    printable,
)

if TYPE_CHECKING:
    from bnnray.report import AttackStatus, RunStatus
    from bnnray.results.now import RunningShard

KEY_DIGITS = 8
"""Enough to name a unit for bnnray show."""

INK = ("━", "─")
ASCII_INK = ("#", ".")
STATES = {"running": "green", "done": "green", "stopped": "yellow", "died": "red"}


def watch_page(
    found: RunStatus, slurm: str, width: int, height: int, *, plain: bool = False
) -> list[Text]:
    """The lines of the page, none wider or more than they may be.

    Args:
        found: how far the run is.
        slurm: what Slurm says about its job; empty where it says nothing.
        width, height: in characters; of too many lines the least important are left out.
        plain: whether to use no characters but those of ASCII.
    """
    head = _head(found, slurm, width)
    attacks = _attacks(found, width, ASCII_INK if plain else INK) if found.attacks else []
    room = height - len(head) - 1
    if len(attacks) > room > 1:
        left_out = len(attacks) - room + 1
        attacks = [*attacks[: room - 1], Text(f"and {left_out} more attacks", style="dim")]
    sections = _fit(_sections(found, width), room - len(attacks))
    body = [[Text(), *attacks]] if attacks else []
    body += [[Text(), *section.lines] for section in sections if section.rows]
    return [*head, *(line for part in body for line in part)][:height]


@dataclass(frozen=True)
class Section:
    """Rows below a title, the most important first."""

    title: Text
    rows: Sequence[Text]

    @property
    def lines(self) -> list[Text]:
        """The title and the rows."""
        return [self.title, *self.rows]


def _fit(sections: Sequence[Section], room: int) -> list[Section]:
    """Takes rows away, the last of the section that has most, until all fit with a blank line each;
    of sections with as many the first is cut first."""
    kept = list(sections)
    while kept and sum(len(s.rows) + 2 for s in kept if s.rows) > room:
        most = max(kept, key=lambda section: len(section.rows))
        if not most.rows:
            return []
        kept[kept.index(most)] = Section(most.title, most.rows[:-1])
    return kept


def _head(found: RunStatus, slurm: str, width: int) -> list[Text]:
    name = Text(cut(found.run, width - 10), style="bold")
    name.append(f"  {found.state.value}", style=STATES[found.state.value])
    who = "" if found.driver is None and found.state == "done" else driver_words(found)
    facts = [_counts(found), _times(found), _slots(found), [who], [slurm]]
    return [name, *(Text(line) for some in facts for line in _flow(some, width))]


def _counts(found: RunStatus) -> list[str]:
    if not found.listed:
        return [UNLISTED]
    said = [f"{found.done} of {found.total} units done", f"{found.left} left", failed_words(found)]
    if found.bad_witness:
        said.append(f"{found.bad_witness} with a bad witness")
    if found.archived_rows:
        said.append(f"{found.archived_rows} rows in archive/")
    return said


def _times(found: RunStatus) -> list[str]:
    if found.state != "running":
        return []
    said = eta_words(found)
    with suppress(ValueError):  # of a lease that is foreign, or has been edited
        begun = datetime.fromisoformat(str(found.driver and found.driver.since))
        said.append(f"{_between(begun.astimezone(UTC).replace(tzinfo=None), found.at)} so far")
    if found.listed:
        said.append(f"{found.per_minute.recent:.1f} units a minute")
    return said


def _slots(found: RunStatus) -> list[str]:
    now = found.now
    if now is None:
        return []
    return [f"{now.busy} of {now.slots} slots busy", f"{now.waiting} units wait for one"]


def _flow(facts: Sequence[str], width: int) -> list[str]:
    """Facts on as few lines as they need; none is broken, one that is too long is cut."""
    lines: list[str] = []
    for fact in (cut(printable(fact), width) for fact in facts if fact):
        longer = f"{lines[-1]}, {fact}" if lines else fact
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


def _attacks(found: RunStatus, width: int, ink: tuple[str, str]) -> list[Text]:
    every = found.attacks
    running = found.state == "running"
    columns = [
        Column("attack", [a.attack for a in every], least=10),
        Bars("", [], 3, 8, shares=[a.done / a.total for a in every], ink=ink),
        Column("done", [f"{a.done}/{a.total}" for a in every], right=True),
        Column("%", [f"{100 * a.done / a.total:.0f}" for a in every], 6, right=True),
        Column("flips", [str(a.flips) for a in every], right=True),
        Column("proofs", [str(a.proofs) for a in every], 1, right=True),
        Column("failed", [str(a.failed) for a in every], 2, right=True, style=_alarm(every)),
        Column("mean s", [_mean(a) for a in every], 7, right=True),
    ]
    if running:
        recent = [f"{a.per_minute.recent:.1f}" for a in every]
        columns.append(Column("a minute", recent, 5, right=True))
        columns.append(Column("to go", [_to_go(a) for a in every], 4, right=True))
    return list(lay_out(columns, width))


def _alarm(every: Sequence[AttackStatus]) -> str:
    return "red" if any(a.failed for a in every) else ""


def _mean(attack: AttackStatus) -> str:
    return "" if attack.mean_seconds is None else f"{attack.mean_seconds:.2f}"


def _to_go(attack: AttackStatus) -> str:
    return duration(attack.eta_seconds) if attack.left and attack.eta_seconds is not None else ""


def _sections(found: RunStatus, width: int) -> list[Section]:
    """Those whose rows matter least first."""
    return [
        Section(_title("running, the longest first", width), _running(found, width)),
        Section(_title("flips, the newest first", width), _flips(found, width)),
        Section(
            _title(f"failures, the newest first; more: bnnray show {found.run} KEY", width),
            _failures(found, width),
        ),
    ]


def _title(text: str, width: int) -> Text:
    return Text(cut(text, width), style="bold")


def _running(found: RunStatus, width: int) -> list[Text]:
    shards = found.now.running if found.now else ()
    if not shards:
        return []
    columns = [
        Column("", [s.attack for s in shards], least=8),
        Column("", [s.model for s in shards], 1, least=8),
        Column("", [_points(s) for s in shards]),
        Column("", [f"epsilon {s.epsilon:.4g}" for s in shards], 3),
        Column("", [f"for {duration(s.seconds)}" for s in shards]),
        Column("", [f"attempt {s.attempt}" if s.attempt > 1 else "" for s in shards], 2),
        Column("", [f"on {s.host}" if s.host else "" for s in shards], 4, least=15),
    ]
    return list(lay_out(columns, width))


def _points(shard: RunningShard) -> str:
    first, *others = shard.points
    return f"point {first} and {len(others)} more" if others else f"point {first}"


def _flips(found: RunStatus, width: int) -> list[Text]:
    flips = found.flips
    if not flips:
        return []
    gained = ["" if f.objective is None else f"objective {f.objective:.6g}" for f in flips]
    columns = [
        Column("", [f.key[:KEY_DIGITS] for f in flips], 3, style="dim"),
        Column("", [f.attack for f in flips], least=8),
        Column("", [f.model for f in flips], 1, least=8),
        Column("", [f"point {f.point}" for f in flips]),
        Column("", [f"epsilon {f.epsilon:.4g}" for f in flips], 2),
        Column("", gained, 4),
        Column("", [_ago(f.finished_at, found.at) for f in flips]),
    ]
    return list(lay_out(columns, width))


def _failures(found: RunStatus, width: int) -> list[Text]:
    errors = found.errors
    if not errors:
        return []
    reasons = [printable(f"{e.status}: {e.message or 'no reason'}") for e in errors]
    columns = [
        Column("", [e.key[:KEY_DIGITS] for e in errors], style="red"),
        Column("", [e.attack for e in errors], 2, least=8),
        Column("", [e.model for e in errors], 3, least=8),
        Column("", [f"point {e.point}" for e in errors], 1),
        Column("", [_ago(e.finished_at, found.at) for e in errors], 4),
        Column("", reasons, least=40),
    ]
    return list(lay_out(columns, width))


def _ago(then: datetime, now: datetime) -> str:
    return f"{_between(then, now)} ago"


def _between(then: datetime, now: datetime) -> str:
    return duration(max(0.0, (now - then).total_seconds()))
