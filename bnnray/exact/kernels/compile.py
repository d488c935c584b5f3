"""How the kernels are compiled: by numba, ahead of their first call, and kept on disk.

numba looks for changes in the file of the compiled function only, and a kernel calls those of
other files; so the folder of compiled code is named after all of them. A kernel comes after those
that it calls, as it is compiled where it is defined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from platformdirs import user_cache_path

F = TypeVar("F", bound=Callable[..., Any])

REORDERED = {"contract", "reassoc", "nsz", "arcp"}
"""What sums of floats may do to become fast; comparisons with infinities and NaN stay defined."""


def kernel(signature: Any, *, floats: bool = False) -> Callable[[F], F]:
    """Compiles a function for one signature.

    Args:
        signature: of numba's types. Given, as numba compiles a copy for each literal argument
            that it meets otherwise.
        floats: whether sums of floats may be reordered. Nothing proven may rest on such a kernel.
    """

    def compile_(function: F) -> F:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
        if floats:
            options["fastmath"] = REORDERED
        with _kept_in(_folder()):
            try:
                compiled: F = njit(signature, cache=True, **options)(function)
            except RuntimeError as error:
                if "no locator" not in str(error):
                    raise
                compiled = njit(signature, **options)(function)  # no folder can be written
        return compiled

    return compile_


@cache
def _folder() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    root = Path(config.CACHE_DIR) if config.CACHE_DIR else user_cache_path("bnnray") / "kernels"
    return str(root / digest.hexdigest()[:16])


@contextmanager
def _kept_in(folder: str) -> Iterator[None]:
    """Has numba keep code in a folder, and look nowhere else: where that cannot be written it would
    take the folder of the source, and code that another version of the package left there."""
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = folder, "UserProvidedCacheLocator"
    try:
        yield
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before
