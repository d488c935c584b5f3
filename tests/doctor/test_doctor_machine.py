"""Limits, control groups, cores, memory, ports and GPUs."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bnnray.doctor import Level, Setting, cores, gpu, limits, memory
from bnnray.doctor.control_groups import core_quota, memory_limit, process_limit
from bnnray.doctor.cores import check_cores
from bnnray.doctor.gpu import check_gpu
from bnnray.doctor.limits import check_files, judge_files, judge_processes
from bnnray.doctor.memory import check_memory
from bnnray.doctor.ports import check_ports, owner
from bnnray.models.devices import Gpus
from bnnray.submit.ports import first_port, is_free

HERE = Setting(Path("runs"))
GIB = 2**30


@pytest.mark.parametrize(
    ("soft", "hard", "level", "hint"),
    [
        (512, 512, Level.FAILURE, "ask the cluster's people for 65536"),
        (512, 4096, Level.FAILURE, "ulimit -n 4096"),
        (1024, 500_000, Level.WARNING, "ulimit -n 65536"),
        (20_000, 20_000, Level.NOTE, ""),
        (65_536, math.inf, Level.OK, ""),
        (math.inf, math.inf, Level.OK, ""),
    ],
)
def test_open_files(soft, hard, level, hint):
    found = judge_files(soft, hard)
    assert (found.level, found.hint) == (level, hint)


def test_the_limit_is_that_of_the_shell():
    code = (
        "import resource, pathlib; resource.setrlimit(resource.RLIMIT_NOFILE, (700, 900))\n"
        "from bnnray.doctor import CHECKS, Setting\n"
        "print(CHECKS['open files'](Setting(pathlib.Path('runs'))).said)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "700 (ulimit -n); Ray needs 1024 and recommends 65536\n"
    assert check_files(HERE).said.endswith(("(ulimit -n)", "Ray recommends 65536"))


@pytest.mark.parametrize(
    ("user", "group", "level", "said"),
    [
        (math.inf, math.inf, Level.OK, "unlimited (ulimit -u)"),
        (100, math.inf, Level.FAILURE, "100 (ulimit -u)"),
        (2048, math.inf, Level.WARNING, "2048 (ulimit -u)"),
        (math.inf, 300, Level.FAILURE, "unlimited (ulimit -u), 300 in this control group"),
    ],
)
def test_processes(user, group, level, said):
    found = judge_processes(user, group)
    assert (found.level, found.said) == (level, said)
    assert limits.check_processes(HERE).said.count("(ulimit -u)") == 1


@pytest.fixture
def group(tmp_path):
    """Writes files of a system, by their paths in it."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return write


V2 = {
    "proc/self/cgroup": "0::/slurm/job_41/step_0",
    "proc/self/mountinfo": "35 24 0:30 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw",
    "sys/fs/cgroup/slurm/job_41/step_0/memory.max": "max",
    "sys/fs/cgroup/slurm/job_41/memory.max": str(4 * GIB),
    "sys/fs/cgroup/slurm/memory.max": str(64 * GIB),
    "sys/fs/cgroup/slurm/job_41/step_0/cpu.max": "250000 100000",
    "sys/fs/cgroup/slurm/cpu.max": "max 100000",
    "sys/fs/cgroup/slurm/pids.max": "900",
}
V1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n1:name=systemd:/\n0::/",
    "proc/self/mountinfo": (
        "35 24 0:30 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "36 24 0:31 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "37 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
    ),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 * GIB),
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
}


def test_the_smallest_limit_of_the_groups_above_counts(group):
    root = group(V2)
    assert (memory_limit(root), core_quota(root), process_limit(root)) == (4 * GIB, 2.5, 900)


def test_groups_of_version_1_as_a_container_sees_them(group):
    root = group(V1)
    assert (memory_limit(root), core_quota(root), process_limit(root)) == (2 * GIB, 1.5, math.inf)


def test_numbers_that_mean_no_limit(group):
    root = group(
        V1
        | {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        }
    )
    assert (memory_limit(root), core_quota(root)) == (math.inf, math.inf)


def test_a_system_without_control_groups(tmp_path):
    assert memory_limit(tmp_path) == core_quota(tmp_path) == process_limit(tmp_path) == math.inf


@pytest.mark.parametrize(
    ("seen", "quota", "given", "level"),
    [
        (8, math.inf, None, Level.OK),
        (8, math.inf, 8, Level.OK),
        (8, 2.5, None, Level.WARNING),
        (2, math.inf, 8, Level.WARNING),
        (8, 2.5, 8, Level.WARNING),
        (48, math.inf, 8, Level.NOTE),
    ],
)
def test_cores(seen, quota, given, level):
    found = cores.judge(seen, 48, quota, given)
    assert found.level == level
    assert bool(found.hint) == (level != Level.OK)


def test_cores_are_those_of_the_affinity(monkeypatch):
    every = os.sched_getaffinity(0)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    os.sched_setaffinity(0, {min(every)})
    try:
        found = check_cores(HERE)
    finally:
        os.sched_setaffinity(0, every)
    assert found.level == Level.WARNING
    assert found.said.startswith("1 of this machine's ")
    assert found.said.endswith("Slurm gave 2")


@pytest.mark.parametrize(
    ("available", "limit", "given", "level"),
    [
        (20 * GIB, math.inf, None, Level.OK),
        (20 * GIB, 8 * GIB, 8 * GIB, Level.OK),
        (20 * GIB, GIB / 2, None, Level.FAILURE),
        (GIB // 2, math.inf, 8 * GIB, Level.FAILURE),
        (GIB * 3 // 2, math.inf, None, Level.WARNING),
        (20 * GIB, 4 * GIB, 8 * GIB, Level.WARNING),
    ],
)
def test_memory(available, limit, given, level):
    found = memory.judge(32 * GIB, available, limit, given)
    assert found.level == level
    assert ("control group" in found.said) == (limit < math.inf)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SLURM_MEM_PER_NODE": "64"}, "Slurm gave 64 MiB"),
        ({"SLURM_MEM_PER_CPU": "32", "SLURM_CPUS_ON_NODE": "2"}, "Slurm gave 64 MiB"),
        ({"SLURM_MEM_PER_NODE": "0"}, "available"),
    ],
)
def test_the_memory_that_slurm_gave(monkeypatch, given, said):
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert said in check_memory(HERE).said


def test_a_port_that_is_taken_is_named_with_its_owner(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "9874")
    first = first_port(9874)
    me = f"{Path('/proc/self/comm').read_text().strip()} {os.getpid()}"
    with socket.socket() as taken:
        taken.bind(("", first))
        taken.listen()
        assert not is_free(first)
        assert owner(first) == me
        found = check_ports(HERE)
    assert found.level == Level.NOTE
    assert f"{first} ({me})" in found.said
    assert owner(first) == ""
    assert str(first) in check_ports(HERE).said


SEEN = Gpus("2.13.0", "13.0", ("H100", "H100"))
NONE = Gpus("2.13.0", "13.0", (), "the driver is too old")
CPU = Gpus("2.13.0+cpu", "", ())


@pytest.mark.parametrize(
    ("seen", "files", "given", "visible", "level", "said"),
    [
        (SEEN, 2, 2, "0,1", Level.OK, "torch 2.13.0 sees 2 x H100"),
        (SEEN, 4, 4, None, Level.WARNING, "torch 2.13.0 sees 2 x H100; Slurm gave 4"),
        (SEEN, 4, 4, "0,1", Level.WARNING, "Slurm gave 4, CUDA_VISIBLE_DEVICES='0,1'"),
        (NONE, 1, 0, None, Level.WARNING, "torch 2.13.0 sees no GPU of 1"),
        (NONE, 1, 0, "", Level.NOTE, "sees no GPU: CUDA_VISIBLE_DEVICES hides them all"),
        (CPU, 1, 0, None, Level.WARNING, "is built without CUDA, and there is a GPU here"),
        (CPU, 0, 1, None, Level.WARNING, "is built without CUDA, and there is a GPU here"),
        (CPU, 0, 0, None, Level.NOTE, "training and PGD run on cores"),
    ],
)
def test_gpus(seen, files, given, visible, level, said):
    found = gpu.judge(seen, files, given, visible)
    assert found.level == level
    assert said in found.said


def test_the_gpus_that_slurm_gave_are_counted(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "a100:999")
    assert check_gpu(HERE).level == Level.WARNING


def test_torch_is_asked():
    import torch

    assert f"torch {torch.__version__}" in check_gpu(HERE).said
