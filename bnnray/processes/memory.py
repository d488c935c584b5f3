"""Sizes of memory as people write them."""

from __future__ import annotations

import re

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
UNITS |= {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_bytes(text: str) -> int:
    """Reads a size such as "2GiB" or "1.5 GB".

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]+)\s*", text)
    if not match or match[2] not in UNITS:
        raise ValueError('expected a size such as "2GiB" or "500MiB"')
    return int(float(match[1]) * UNITS[match[2]])


def format_bytes(size: float) -> str:
    """The shortest text that :func:`parse_bytes` reads back."""
    for name in ("TiB", "GiB", "MiB", "KiB"):
        if size >= UNITS[name] and size % UNITS[name] == 0:
            return f"{size / UNITS[name]:.0f}{name}"
    return f"{size:.0f}B"
