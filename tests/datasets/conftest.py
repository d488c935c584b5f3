import os
from pathlib import Path

import pytest

from bnnray.datasets import folders


@pytest.fixture
def real_data():
    """The folder with the published files; without one the test is skipped, but not on CI."""
    folder = os.environ.get("BNNRAY_DATA")
    if folder:
        return Path(folder)
    if os.environ.get("CI"):
        pytest.fail("BNNRAY_DATA is not set, and CI must test the real data")
    return pytest.skip("BNNRAY_DATA is not set")


@pytest.fixture
def only(tmp_path, monkeypatch):
    """An empty folder, the only one that is searched when it is given as ``data_dir``."""
    monkeypatch.delenv(folders.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path
