"""Gurobi's licence: files of every kind, and a server that is asked for nothing."""

from __future__ import annotations

import getpass
import socket
from datetime import date
from pathlib import Path

import pytest

from bnnray.doctor import Level, Setting
from bnnray.doctor.licence import FILE, check_gurobi, judge, licence_file, read_keys

TODAY = date(2026, 6, 15)
HERE = Setting(Path("runs"))


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GRB_LICENSE_FILE", raising=False)
    return tmp_path


def judged(text: str):
    return judge(read_keys(text), Path("my.lic"), TODAY)


NODE = "# mine\nTYPE=NODE\nVERSION=13\nHOSTID=1234abcd\n"


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        (f"{NODE}EXPIRATION=2027-01-31", Level.OK, "my.lic (NODE), until 2027-01-31"),
        (NODE, Level.OK, "my.lic (NODE)"),
        (f"{NODE}EXPIRATION=2026-06-14", Level.FAILURE, "my.lic (NODE): expired on 2026-06-14"),
        (f"{NODE}EXPIRATION=2026-06-15", Level.WARNING, "my.lic (NODE): expires on 2026-06-15"),
        (f"{NODE}EXPIRATION=soon", Level.WARNING, "my.lic (NODE): EXPIRATION=soon is no date"),
        (f"{NODE}USERNAME=nobody-else", Level.FAILURE, "for the user nobody-else, not"),
        (f"{NODE}USERNAME={getpass.getuser()}", Level.OK, "my.lic (NODE)"),
        ("TYPE=NODE\nVERSION=9", Level.FAILURE, "for Gurobi 9; installed is "),
        ("", Level.FAILURE, "my.lic is no licence"),
        ("hello", Level.FAILURE, "my.lic is no licence"),
        ("COMPUTESERVER=a\nPASSWORD=s3cret", Level.NOTE, "names a server (COMPUTESERVER)"),
    ],
)
def test_files(text, level, said):
    found = judged(text)
    assert found.level == level
    assert said in found.said
    assert "s3cret" not in f"{found}"


def test_an_expired_file_that_the_variable_names(home, monkeypatch):
    path = home / "old.lic"
    path.write_text("TYPE=ACADEMIC\nVERSION=13\nEXPIRATION=2020-01-31\n")
    monkeypatch.setenv("GRB_LICENSE_FILE", str(path))
    found = check_gurobi(HERE)
    assert (found.level, found.said) == (
        Level.FAILURE,
        f"{path} (ACADEMIC): expired on 2020-01-31",
    )


@pytest.mark.parametrize("name", ["missing.lic", "."])
def test_a_file_that_cannot_be_read(home, monkeypatch, name):
    monkeypatch.setenv("GRB_LICENSE_FILE", str(home / name))
    assert check_gurobi(HERE).said.startswith(f"cannot read {home / name}: ".replace("/.:", ":"))
    assert check_gurobi(HERE).level == Level.FAILURE


def test_a_token_server_is_connected_to_and_told_nothing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = f"TOKENSERVER=127.0.0.1\nPORT={port}"
        found = judged(text)
        client, _ = server.accept()
        with client:
            assert client.recv(1) == b""
    assert (found.level, found.said) == (
        Level.OK,
        f"my.lic: token server 127.0.0.1 answers at port {port}; no token was taken",
    )
    assert "at port 41954" in judged("TOKENSERVER=127.0.0.1\nPORT=none").said
    gone = judged(text)
    assert gone.level == Level.FAILURE
    assert gone.said == f"my.lic: token server 127.0.0.1 does not answer at port {port}"


def test_places_are_those_of_gurobi(home, monkeypatch):
    if any(Path("/opt").glob("gurobi*")):
        pytest.skip("this machine has a Gurobi of its own under /opt, which comes first")
    assert licence_file().parent.name == ".libs"
    (home / FILE).write_text(NODE)
    assert licence_file() == home / FILE
    monkeypatch.setenv("GRB_LICENSE_FILE", "/named/x.lic")
    assert licence_file() == Path("/named/x.lic")
    monkeypatch.setenv("GRB_LICENSE_FILE", "")
    assert licence_file() == home / FILE


def test_pip_s_own_is_tried_out():
    if licence_file().parent.name != ".libs":
        pytest.skip("this machine has a Gurobi licence of its own")
    found = check_gurobi(HERE)
    assert found.level in (Level.OK, Level.WARNING)
    assert found.said.startswith("pip's own, of 2,000 variables and rows")
