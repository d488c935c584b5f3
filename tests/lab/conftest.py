"""One lab for all of its tests, and a job whose network is trained already."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign import Campaign
from slurm_lab import Lab, missing

TRAIN = ["train", "digits", "--hidden", "100,100", "--epochs", "2", "-o", "net.bnn"]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The running lab; without root or namespaces the tests are skipped, which CI refuses."""
    why = missing()
    if why:
        pytest.skip(why)
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all nodes see, with a network to attack."""
    folder = tmp_path_factory.mktemp("home")
    lab.run(sys.executable, "-m", "bnnray.cli.main", *TRAIN, folder=folder)
    return folder


@pytest.fixture
def campaign(lab: Lab, home: Path, request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """A job of the test's own, which is ended with it."""
    campaign = Campaign(lab, home, request.node.name.removeprefix("test_").split("[")[0])
    yield campaign
    campaign.end()
