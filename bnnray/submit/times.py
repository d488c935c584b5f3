"""Time limits as Slurm writes them."""

from __future__ import annotations

import re

_FORM = re.compile(r"(?:(\d+)-(\d+)(?::(\d+)(?::(\d+))?)?|(\d+)(?::(\d+)(?::(\d+))?)?)")


def parse_time(text: str) -> int:
    """Seconds of a time limit: "minutes", "minutes:seconds", "hours:minutes:seconds",
    "days-hours", "days-hours:minutes" or "days-hours:minutes:seconds".

    Raises:
        ValueError: it is none, or zero.
    """
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    seconds = _seconds(match) if match else 0
    if not seconds:
        raise ValueError(
            f'expected a time limit as Slurm writes it, such as "30", "12:00:00" or "1-12"; '
            f"got {text!r}"
        )
    return seconds


def _seconds(match: re.Match[str]) -> int:
    days, hours, minutes, seconds, first, second, third = (
        int(part or 0) for part in match.groups()
    )
    if match[1]:
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if match[7]:
        return (first * 60 + second) * 60 + third
    return first * 60 + second
