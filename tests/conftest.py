"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two workers on two cores; before numpy comes

import hypothesis
import pytest

from bnnray.processes import Nursery

hypothesis.settings.register_profile(
    "bnnray",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("bnnray")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets, from BNNRAY_DATA. CI must have it."""
    folder = os.environ.get("BNNRAY_DATA")
    if folder:
        return Path(folder).resolve()
    if os.environ.get("CI"):
        pytest.fail("BNNRAY_DATA is not set, and CI must run the tests on real data")
    pytest.skip("BNNRAY_DATA is not set")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI every test must run: a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("CI does not accept skipped tests", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def networks() -> Path:
    """The folder of the reference networks."""
    return Path(__file__).parent / "networks"


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """A nursery that finds the modules of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    nursery = Nursery(["roles"])
    yield nursery
    nursery.close()
