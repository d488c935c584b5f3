"""``bnnray compact`` holds the run folder while it merges."""

from __future__ import annotations

import sys

import pytest

import bnnray.results
from bnnray.cli.compact import compact
from bnnray.errors import RunFolderError
from bnnray.results import RunFolder, write_table
from bnnray.results.lease import LEASE
from bnnray.runtime.lease import hold_lease, refuse_if_in_use


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "job")
    folder.claim("job")
    folder.write_provenance({"job": "job"})
    for key in "ab":
        write_table(folder.live["results"].new_part(), "results", [{"key": key}])
    return folder


def test_nobody_else_gets_the_folder_while_files_are_merged(run, monkeypatch, capsys):
    real = bnnray.results.compact
    refused = []

    def observed(folder):
        with pytest.raises(RunFolderError, match="process"):
            refuse_if_in_use(folder.path)
        refused.append(folder)
        return real(folder)

    monkeypatch.setattr(sys.modules["bnnray.results"], "compact", observed)
    compact(str(run.path), run.path.parent)
    assert len(refused) == 1
    assert capsys.readouterr().out == "2 files became 1\n"
    assert not (run.path / LEASE).exists()


def test_it_is_refused_while_a_driver_holds_the_folder(run):
    with hold_lease(run.path, print), pytest.raises(RunFolderError, match="process"):
        compact(str(run.path), run.path.parent)
    assert len(run.parts("results")) == 2
