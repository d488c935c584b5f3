"""What run.json keeps from one time that a job is run to the next."""

from __future__ import annotations

from bnnray.results import RunFolder
from bnnray.runtime.session import Session


def test_what_was_attacked_stays_until_it_is_described_anew(tmp_path):
    folder = RunFolder(tmp_path / "job")
    folder.claim("job")
    Session(folder, "job").describe({"job": "job", "models": {"net": "digest"}})
    second = Session(folder, "job")
    assert second.number == 2
    assert folder.provenance()["models"] == {"net": "digest"}
    assert len(folder.sessions()) == 2
    second.describe({"job": "job", "models": {}})
    assert folder.provenance()["models"] == {}
    assert len(folder.sessions()) == 2
