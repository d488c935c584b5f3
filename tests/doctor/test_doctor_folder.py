"""The folder of the runs, with faults that are real wherever they can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import check_with

from bnnray.doctor import Level, Setting
from bnnray.doctor.folder import (
    check_clock,
    check_file_system,
    check_space,
    check_writing,
    judge,
    judge_clock,
)
from bnnray.doctor.places import FileSystem, file_system

READ_ONLY = "mount -t tmpfs -o ro,size=1m none runs"
FULL = "mount -t tmpfs -o size=1m none runs; cat /dev/zero > runs/ballast 2> /dev/null || true"
NO_FILES = "mount -t tmpfs -o size=1m,nr_inodes=2 none runs; touch runs/ballast"


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    folder = tmp_path / "a" / "runs"
    assert check_writing(Setting(folder)).said.startswith(f"{folder} (not there yet): written")
    assert check_clock(Setting(folder)).level == Level.OK
    assert list(tmp_path.iterdir()) == []
    folder.mkdir(parents=True)
    assert check_writing(Setting(folder)).level == Level.OK
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (READ_ONLY, "Read-only file system"),
        (FULL, "No space left on device"),
        (NO_FILES, "No space left on device"),
    ],
    ids=["read-only", "full", "no files left"],
)
def test_a_folder_that_cannot_be_written_says_why(tmp_path, mount, reason):
    found = check_with(tmp_path, mount, "run folder")
    assert (found.level, found.said) == (Level.FAILURE, f"cannot write to runs: {reason}")
    assert "--runs-dir" in found.hint


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "runs").write_text("")
    found = check_writing(Setting(tmp_path / "runs"))
    assert (found.level, found.said[-15:]) == (Level.FAILURE, "Not a directory")


def test_a_folder_that_the_kernel_keeps_for_itself():
    assert check_writing(Setting(Path("/proc"))).level == Level.FAILURE
    assert check_clock(Setting(Path("/proc"))).level == Level.NOTE


@pytest.mark.parametrize(
    ("mount", "level", "said"),
    [
        (FULL, Level.FAILURE, "0 MiB and "),
        (NO_FILES, Level.FAILURE, " and 0 files free"),
        ("mount -t tmpfs -o size=256m none runs", Level.WARNING, "256 MiB and "),
    ],
    ids=["full", "no files left", "little"],
)
def test_room(tmp_path, mount, level, said):
    found = check_with(tmp_path, mount, "space")
    assert found.level == level
    assert said in found.said


def test_room_here(tmp_path):
    assert "free" in check_space(Setting(tmp_path / "not" / "there")).said


def test_memory_in_the_place_of_a_disk_is_a_warning(tmp_path):
    found = check_with(tmp_path, "mount -t tmpfs none runs", "file system")
    assert found.level == Level.WARNING
    assert found.said == f"tmpfs at {tmp_path / 'runs'}: gone with this machine or container"


@pytest.mark.parametrize(
    ("kind", "slurm", "several", "level"),
    [
        ("nfs4", True, True, Level.OK),
        ("fuse.sshfs", True, True, Level.OK),
        ("fuse.fuse-overlayfs", True, True, Level.WARNING),
        ("lustre", False, False, Level.OK),
        ("ext4", False, False, Level.OK),
        ("ext4", True, False, Level.NOTE),
        ("xfs", True, True, Level.WARNING),
        ("overlay", False, False, Level.WARNING),
        ("tmpfs", True, True, Level.WARNING),
    ],
)
def test_kinds_of_file_systems(tmp_path, kind, slurm, several, level):
    found = judge(FileSystem(kind, tmp_path), slurm, several)
    assert (found.level, found.said[: len(kind)]) == (level, kind)
    assert bool(found.hint) == (level != Level.OK)


def test_the_nodes_of_a_job_are_several(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "3")
    assert check_file_system(Setting(tmp_path)).level in (Level.OK, Level.WARNING)


MOUNTS = r"""
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / {home} rw - nfs4 server:/home rw
31 30 0:41 / {home}/a\040place rw master:2 propagate_from:1 - lustre 10.0.0.1@o2ib:/x rw
32 30 0:42 / {home}/covered rw - ext4 /dev/vdb rw
33 32 0:43 / {home}/covered rw - tmpfs none rw
"""


def test_the_nearest_mount_is_the_folder_s(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.format(home=tmp_path).lstrip())

    def kind(folder):
        return file_system(folder, table).kind

    (tmp_path / "a place" / "sub").mkdir(parents=True)
    (tmp_path / "covered").mkdir()
    assert kind(tmp_path / "not" / "there") == "nfs4"
    assert kind(tmp_path / "a place" / "sub") == "lustre"
    assert kind(tmp_path / "a place2") == "nfs4"
    assert kind(tmp_path / "covered") == "tmpfs"
    assert kind(tmp_path.parent) == "ext4"
    assert file_system(tmp_path, tmp_path / "no table").kind == "unknown"


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        (100.5, "agree"),
        (98.5, "agree"),
        (102.9, "agree"),
        (161.2, "60 s ahead of"),
        (40.0, "60 s behind"),
    ],
)
def test_the_file_system_s_clock(stamp, said):
    found = judge_clock(100.0, stamp, 101.2)
    assert said in found.said
    assert (found.level == Level.OK) == (said == "agree")
