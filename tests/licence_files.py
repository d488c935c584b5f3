"""Files for GRB_LICENSE_FILE: that of pip's own licence, and ones that Gurobi really refuses."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import gurobipy
import pytest

OWN = Path(gurobipy.__file__).parent / ".libs" / "gurobi.lic"


class LicenceFile:
    """A licence that comes and goes.

    Args:
        path: of the file that Gurobi reads whenever an environment starts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def valid(self) -> None:
        """pip's own."""
        self._write(OWN.read_text())

    def away(self) -> None:
        """A token server on a port where nobody answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._write(f"TOKENSERVER=127.0.0.1\nPORT={port}\n")

    def expired(self) -> None:
        """One that never comes back."""
        self._write("TYPE=NODE\nVERSION=13\nHOSTID=0\nEXPIRATION=2020-01-01\nKEY=AAAAAAAA\n")

    def _write(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.path)


@pytest.fixture
def licence_file(tmp_path, monkeypatch) -> LicenceFile:
    """A valid one, which processes that are started from now on read."""
    if not OWN.is_file():
        pytest.skip("gurobipy keeps its own licence in another place on this system")
    file = LicenceFile(tmp_path / "gurobi.lic")
    file.valid()
    monkeypatch.setenv("GRB_LICENSE_FILE", str(file.path))
    return file
