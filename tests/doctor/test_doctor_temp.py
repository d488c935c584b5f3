"""The folder of Ray's sockets."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from faults import check_with

from bnnray.doctor import Level, Setting
from bnnray.doctor.places import FileSystem
from bnnray.doctor.temp import ROOM, SOCKET, check_scratch, check_temp, judge, ray_folder
from bnnray.submit.sites import LONGEST_SCRATCH

LOCAL = FileSystem("ext4", Path("/"))


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("RAY_TMPDIR", "TMPDIR", "SLURM_JOB_ID", "BNNRAY_SCRATCH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("names", [(), ("TMPDIR",), ("RAY_TMPDIR",), ("RAY_TMPDIR", "TMPDIR")])
def test_the_folder_is_the_one_that_ray_takes(monkeypatch, names):
    from ray._common.utils import get_default_ray_temp_dir

    for name in names:
        monkeypatch.setenv(name, f"/in/{name}")
    assert str(ray_folder()) == get_default_ray_temp_dir()


def test_the_longest_folder_has_room_for_a_socket_and_no_longer_one_has(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="") as short:
        for length, level in ((ROOM, Level.OK), (ROOM + 1, Level.FAILURE)):
            folder = Path(short) / ("a" * (length - len(short) - 1))
            place = folder / SOCKET
            place.parent.mkdir(parents=True)
            with socket.socket(socket.AF_UNIX) as trial:
                if level == Level.OK:
                    trial.bind(str(place))
                else:
                    with pytest.raises(OSError, match="too long"):
                        trial.bind(str(place))
            assert judge(folder, LOCAL, "do").level == level


def test_a_long_temporary_folder_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("long" * 9)))
    found = check_temp(Setting(tmp_path))
    assert found.level == Level.FAILURE
    assert f"bytes; Ray's sockets leave {ROOM}" in found.said
    assert "RAY_TMPDIR" in found.hint


def test_the_longest_scratch_of_a_site_has_room_in_the_longest_job():
    assert LONGEST_SCRATCH + len("/bnnray-4294967295") <= ROOM


def test_a_network_file_system_is_a_failure():
    found = judge(Path("/home/me/ray"), FileSystem("nfs4", Path("/home")), "do")
    assert found.said == "/home/me/ray is on nfs4, a network file system"
    assert found.level == Level.FAILURE


def test_a_folder_in_which_nothing_can_be_made():
    found = judge(Path("/proc/ray"), LOCAL, "do")
    assert found.level == Level.FAILURE
    assert found.said.startswith("no socket can be made in /proc/ray: ")


def test_little_room_is_a_warning(tmp_path):
    mount = "mount -t tmpfs -o size=9m none /mnt; export RAY_TMPDIR=/mnt"
    found = check_with(tmp_path, mount, "temp dir")
    assert (found.level, found.said) == (Level.WARNING, "/mnt/ray on tmpfs, 9 MiB free")


def test_scratch_is_looked_at_inside_a_job(monkeypatch, tmp_path):
    outside = check_scratch(Setting(tmp_path, scratch="/local"))
    assert outside.level == Level.NOTE
    assert outside.said.startswith("/local on the nodes")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    assert check_scratch(Setting(tmp_path)).said.startswith("/tmp/bnnray-41 on ")
    monkeypatch.setenv("BNNRAY_SCRATCH", "/proc")
    assert check_scratch(Setting(tmp_path)).level == Level.FAILURE
    assert not os.path.exists("/tmp/bnnray-41")
