"""Kernels are kept in a folder of their own, or nowhere."""

import inspect
from pathlib import Path

from numba import config
from numba.types import int64

from bnnray.exact.kernels import compile as compiling


def twice(x: int) -> int:
    return 2 * x


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc"))


def test_compiled_code_is_kept_in_the_folder_of_the_kernels(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "_folder", lambda: str(tmp_path))
    assert compiling.kernel(int64(int64))(twice)(3) == 6
    assert len(kept(tmp_path)) == 2


def test_where_that_folder_cannot_be_written_nothing_is_kept(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiling, "_folder", lambda: str(tmp_path / "file" / "folder"))
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    assert compiling.kernel(int64(int64))(twice)(3) == 6
    after = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    assert after == before
    own = Path(inspect.getfile(twice)).parent / "__pycache__"
    assert not any("twice" in name for name in kept(own))
