"""How far a run is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnnray.report import RunStatus

SILENT_SECONDS = 60.0
"""A living driver has given a sign by then."""


def driver_words(found: RunStatus) -> str:
    """Who works on it."""
    driver = found.driver
    if driver is None:
        return "done" if found.state == "done" else "nobody runs it"
    if driver.dead:
        return f"{driver.holder} died; the same bnnray run goes on"
    age = driver.seconds_since_sign_of_life
    sign = f"last sign of life {duration(age)} ago"
    if age > SILENT_SECONDS:
        sign += ", it may be dead"
    return f"run by {driver.holder} ({sign})"


def count_words(found: RunStatus) -> str:
    """What is done, and when the rest may be."""
    if not found.listed:
        return UNLISTED
    text = f"{found.done} of {found.total} units done, {found.left} left, {failed_words(found)}"
    if found.bad_witness:
        text += f", {found.bad_witness} with a bad witness"
    if found.state == "running" and found.left:
        text += f"; {found.per_minute.recent:.1f} a minute"
    return text + "".join(f", {words}" for words in eta_words(found))


UNLISTED = "no units listed yet: networks are trained first"


def failed_words(found: RunStatus) -> str:
    """How many units failed, and of what."""
    causes = [("crashed", found.crashed), ("without a licence", found.licence)]
    said = ", ".join(f"{count} {name}" for name, count in causes if count)
    return f"{found.failed} failed" + (f" ({said})" if said else "")


def eta_words(found: RunStatus) -> list[str]:
    """When the rest may be done, and between what; nothing where that is not known."""
    if found.eta_seconds is None or found.eta_range is None:
        return []
    low, high = (duration(seconds) for seconds in found.eta_range)
    return [f"about {duration(found.eta_seconds)} to go ({low} to {high})"]


def duration(seconds: float) -> str:
    """A time in words, such as "5 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def printable(text: str) -> str:
    """What a solver says may hold what would move the cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
