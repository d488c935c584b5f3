"""``bnnray warmup``."""

from __future__ import annotations

import time

import typer


def warmup() -> None:
    """Compile what is compiled on first use, so that no run waits for it.

    A minute or two the first time on a type of CPU, a second after that. The compiled code is kept
    in the user's cache folder, or in NUMBA_CACHE_DIR.

    Example: bnnray warmup
    """
    began = time.monotonic()
    import bnnray.exact.tree  # noqa: F401  importing it compiles it

    typer.echo(f"the exact engine is compiled ({time.monotonic() - began:.1f} s)")
