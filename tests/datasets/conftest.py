import pytest

from bnnray.datasets import folders


@pytest.fixture
def only(tmp_path, monkeypatch):
    """An empty folder, the only one that is searched when it is given as ``data_dir``."""
    monkeypatch.delenv(folders.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path
