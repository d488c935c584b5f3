"""bnnray: attack and verify binarized neural networks on many machines.

In a notebook: ``bnnray.load`` reads a run, ``bnnray.attack`` and ``bnnray.verify`` answer one
question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnnray.api import Answer, Run, attack, load, verify

__all__ = ["Answer", "Run", "attack", "load", "verify"]


def __getattr__(name: str) -> object:
    """Loads the public names when they are used first, as they need heavy packages."""
    if name not in __all__:
        raise AttributeError(f"module 'bnnray' has no attribute {name!r}")
    import bnnray.api

    return getattr(bnnray.api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
