"""A real Slurm cluster on one machine: three nodes in namespaces of their own, as root.

The lab is one process tree in its own PID, mount, network and host name namespaces. Its first
process waits on a pipe to whoever started it; when that pipe closes, for whatever reason, the
kernel ends every process of the lab, and mounts and networks go with them.

    login      slurmctld, munged, bridge at 10.77.0.1: where `bnnray submit` is typed
    n1 n2 n3   slurmd, own address 10.77.0.11.., PIDs, host name, /dev/shm, /mnt (local disk), a GPU
               that is none

The rest of the file system is shared, as on a cluster with a shared home.

`python slurm_lab.py quickstart` is what `make lab` runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

NODES = ("n1", "n2", "n3")
CPUS = 2
MEMORY_MB = 6000
NET = "10.77.0"
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "munge", "ip", "nsenter", "unshare")
NAMESPACES = ("--mount", "--net", "--uts", "--pid")
START_SECONDS = 60.0
INIT = "init"

CONFIGURATION = """\
ClusterName=lab
SlurmctldHost=login({net}.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={base}/munge.socket
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd-%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
KillWait=10
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobRequeue=1
GresTypes=gpu
{nodes}
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:2
"""

GPUS = "AutoDetect=off\nName=gpu File=/dev/null Flags=nvidia_gpu_env\n"
"""One GPU a node, as far as Slurm and Ray can tell: it wants a file that is a device."""


def missing() -> str:
    """Why there can be no lab here; empty if there can."""
    if os.geteuid() != 0:
        return "the Slurm lab needs root"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"the Slurm lab needs {', '.join(absent)}: tests/lab/install.sh"
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], check=False)
    return "" if tried.returncode == 0 else "the Slurm lab needs Linux namespaces"


class Lab:
    """A running lab; leaving it ends all that runs in it.

    Attributes:
        base: its folder, with slurm.conf and logs.
    """

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="slurm-lab-"))
        self._init: subprocess.Popen[str] | None = None
        self._pid = 0

    def __enter__(self) -> Lab:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._init is not None:
            assert self._init.stdin is not None
            assert self._init.stdout is not None
            self._init.stdin.close()  # the lab's first process ends, and with it all others
            self._init.wait(timeout=30)
            self._init.stdout.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Of a user on the login node."""
        return {**os.environ, "SLURM_CONF": str(self.base / "slurm.conf"), **more}

    def command(self, command: Sequence[str], node: str = "login") -> list[str]:
        """A command as it has to be written outside to run on a node."""
        pid = self._pid if node == "login" else int((self.base / f"{node}.pid").read_text())
        if node == "login":
            return ["nsenter", f"--target={pid}", *NAMESPACES, *command]
        inside = ["nsenter", f"--target={pid}", *NAMESPACES, *command]
        return self.command(inside)

    def run(
        self,
        *command: str,
        folder: Path | None = None,
        node: str = "login",
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on a node, the login node unless named."""
        there = ["env", "--chdir", str(folder or self.base), *command]
        done = subprocess.run(
            self.command(there, node),
            env=self.environment(**(environment or {})),
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr}")
        return done

    def kill_node(self, node: str) -> None:
        """Every process of the node dies at once, as by a power loss."""
        self._ask(f"kill {node}")

    def start_node(self, node: str) -> None:
        """Brings back a node that was killed."""
        self._ask(f"start {node}")
        self._wait_for_nodes()

    def _start(self) -> None:
        inside = [sys.executable, str(Path(__file__).resolve()), INIT, str(self.base)]
        with (self.base / "init.log").open("w") as log:
            self._init = subprocess.Popen(
                ["unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child", *inside],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._expect("ready")
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text()
        self._pid = int(children.split()[0])
        self._wait_for_nodes()

    def _ask(self, line: str) -> None:
        assert self._init is not None
        assert self._init.stdin is not None
        self._init.stdin.write(f"{line}\n")
        self._init.stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        assert self._init is not None
        assert self._init.stdout is not None
        answer = self._init.stdout.readline().strip()
        if answer != word:
            raise AssertionError(f"the lab did not start: {(self.base / 'init.log').read_text()}")

    def _wait_for_nodes(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            seen = self.run("sinfo", "-h", "-N", "-o", "%N %t", timeout=30, check=False).stdout
            up = {
                line.split()[0]
                for line in seen.splitlines()
                if line.endswith((" idle", " mix", " alloc"))
            }
            if up == set(NODES):
                return
            time.sleep(0.2)
        raise AssertionError(f"nodes of the lab are missing: {seen}")


class _Init:
    """The first process of the lab, inside its namespaces.

    Args:
        base: the lab's folder.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def serve(self) -> None:
        """Starts the lab, then does what is asked until nobody is there to ask."""
        self._configure()
        self._services()
        for node in NODES:
            self._start(node)
        print("ready", flush=True)
        for line in sys.stdin:
            verb, node = line.split()
            self._kill(node) if verb == "kill" else self._start(node)
            print("done", flush=True)

    def _configure(self) -> None:
        nodes = "\n".join(
            f"NodeName={node} NodeAddr={_address(node)} CPUs={CPUS} "
            f"RealMemory={MEMORY_MB} Gres=gpu:1"
            for node in NODES
        )
        text = CONFIGURATION.format(base=self._base, net=NET, nodes=nodes, names=",".join(NODES))
        (self._base / "slurm.conf").write_text(text)
        (self._base / "gres.conf").write_text(GPUS)
        for folder in ("state", "spool"):
            (self._base / folder).mkdir()
        key = self._base / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        hosts = [f"{NET}.1 login", *(f"{_address(node)} {node}" for node in NODES)]
        (self._base / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts, ""]))
        self._base.chmod(0o755)

    def _services(self) -> None:
        base = self._base
        _do("hostname", "login")
        _do("mount", "--make-rprivate", "/")
        _do("mount", "--bind", str(base / "hosts"), "/etc/hosts")
        _do("ip", "link", "set", "lo", "up")
        _do("ip", "link", "add", "lab", "type", "bridge")
        _do("ip", "address", "add", f"{NET}.1/24", "dev", "lab")
        _do("ip", "link", "set", "lab", "up")
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid",
                 "log-file": "munge.log", "seed-file": "munge.seed"}  # fmt: skip
        _do("munged", "--force", *(f"--{option}={base / name}" for option, name in files.items()))
        _do("slurmctld", "-c", "-f", str(base / "slurm.conf"))

    def _start(self, node: str) -> None:
        base = self._base
        (base / "spool" / node).mkdir(exist_ok=True)
        ready = base / f"{node}.pid"
        ready.unlink(missing_ok=True)
        inside = f"""
            set -e
            hostname {node}
            mount -t tmpfs -o size=4g,mode=1777 tmpfs /dev/shm
            mount -t tmpfs -o size=4g,mode=1777 tmpfs /mnt
            until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
            ip link set lo up
            ip address add {_address(node)}/24 dev eth0
            ip link set eth0 up
            ip route add default via {NET}.1
            exec slurmd -D -f {base}/slurm.conf -N {node}
        """
        own = ["--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
        process = subprocess.Popen(
            ["unshare", *own, "bash", "-c", inside],
            stdin=subprocess.DEVNULL,
            stdout=(base / f"{node}.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._nodes[node] = process
        first = _child(process.pid)
        link = f"v{node}-{process.pid}"
        _do("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(first))
        _do("ip", "link", "set", link, "master", "lab", "up")
        ready.write_text(str(first))

    def _kill(self, node: str) -> None:
        process = self._nodes.pop(node)
        process.kill()
        process.wait()


def _child(pid: int) -> int:
    """The first process in the namespaces that ``unshare`` makes, once it is there."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.01)
    raise AssertionError(f"unshare {pid} started nothing")


def _address(node: str) -> str:
    return f"{NET}.1{node[1:]}"


def _do(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def quickstart() -> int:
    """Submits the quick start to a lab and shows what comes of it; its exit code.

    In a runs folder of its own: in the project's the quick start may be done already.
    """
    why = missing()
    if why:
        print(why, file=sys.stderr)
        return 3
    root = Path(__file__).parents[2]
    runs = root / "runs" / time.strftime("lab-%Y%m%d-%H%M%S")
    bnnray = [sys.executable, "-m", "bnnray.cli.main"]
    with Lab() as lab:
        for line in (
            "sinfo -N -l",
            "bnnray submit jobs/quickstart.toml --site lab --wait",
            "bnnray status quickstart",
            "bnnray logs quickstart",
        ):
            print(f"\n$ {line}", flush=True)
            words = line.split()
            command = bnnray + words[1:] if words[0] == "bnnray" else words
            code = subprocess.run(
                lab.command(["env", "--chdir", str(root), *command]),
                env={**lab.environment(), "BNNRAY_RUNS": str(runs)},
                check=False,
            ).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    if sys.argv[1] == INIT:
        _Init(Path(sys.argv[2])).serve()
    elif sys.argv[1] == "quickstart":
        sys.exit(quickstart())
