"""How well a run on Ray keeps its slots busy, and what it takes to have them.

    python benchmarks/ray_slots.py
    python benchmarks/ray_slots.py --nodes 2 --cpus 2 --units 40

Starts a Ray cluster of several nodes on this machine, each with its raylet, keeper and slots, and
runs units that sleep for a second in the solver's process, so that the machine's own cores are
free for what is measured. Rows go to Parquet, as in any run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from sleeping import SleepSettings
from tiny_run import tiny_context, tiny_units

from bnnray.job import Unit
from bnnray.results import RunFolder, query
from bnnray.runtime.cluster import Cluster
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import Driver
from bnnray.runtime.ray_cluster import RayCluster

MIB = 2**20
MEMORY_SECONDS = 10.0
"""When memory is measured, after the run's begin."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--cpus", type=int, default=8, help="of each node, and so its slots")
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=1.0, help="that a unit takes")
    asked = parser.parse_args()
    with ray_nodes(asked.nodes, asked.cpus) as address, tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with closing(RayCluster(address)) as cluster:
            context = tiny_context()
            attack = SleepSettings(time_limit=60 + asked.seconds, seconds=asked.seconds)
            units = tiny_units(asked.units, attack)
            cluster.start(context, 1)
            wait_for(cluster, asked.nodes)
            print(f"{asked.nodes} keepers answer after {time.monotonic() - began:.1f} s")
            measure(cluster, context, Path(folder), units)


def measure(cluster: Cluster, context: RunContext, folder: Path, units: list[Unit]) -> None:
    """Runs the units and prints what came of it."""
    drain = Drain()
    sink = cluster.sink(folder, drain.check_last)
    driver = Driver(cluster, sink, context, lambda records: None)
    timer = threading.Timer(MEMORY_SECONDS, print_memory)
    timer.start()
    cpu = time.process_time()
    driver.run(units, drain, 0.0)
    cpu = time.process_time() - cpu
    timer.cancel()
    done = driver.done()
    slots = done.slots
    print(f"units {done.units}, failed {done.failed}, retried {done.retried}")
    print(f"slots {slots.count}, busy {slots.busy_percent:.1f} %, tail {slots.tail_seconds:.1f} s")
    (steady,) = query(
        RunFolder(folder),
        """select sum(epoch(finished_at - started_at)),
                  epoch(max(finished_at) - min(started_at)), sum(seconds) from all_results""",
    ).rows
    print(f"from the first unit's start to the last one's end: {steady[1]:.1f} s, ", end="")
    print(f"slots busy {100 * steady[0] / steady[1] / slots.count:.1f} %, ", end="")
    print(f"searching {100 * steady[2] / steady[1] / slots.count:.1f} %")
    print(f"CPU of the driver's process: {1000 * cpu / done.units:.2f} ms a unit")


def print_memory() -> None:
    """Memory of all processes, those of Ray included."""
    counts: dict[str, list[float]] = {}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            memory = process.memory_full_info()
            row = counts.setdefault(kind_of(process), [0, 0.0, 0.0])
        except psutil.Error:
            continue
        row[0] += 1
        row[1] += memory.pss / MIB
        row[2] += memory.rss / MIB
    for kind, (number, pss, rss) in sorted(counts.items(), key=lambda item: -item[1][1]):
        print(f"memory  {kind:<24} {number:4.0f} processes  PSS {pss:7.0f} MiB  RSS {rss:7.0f} MiB")
    total = [sum(row[i] for row in counts.values()) for i in range(3)]
    print(
        f"memory  all {total[0]:25.0f} processes  PSS {total[1]:7.0f} MiB  RSS {total[2]:7.0f} MiB"
    )


def kind_of(process: psutil.Process) -> str:
    """What a process is, from its command line."""
    command = process.cmdline()
    if command[1:2] == ["-m"] or "-m" in command:
        return command[command.index("-m") + 1]
    return Path(command[0].split(" ")[0]).name if command else process.name()


def wait_for(cluster: Cluster, keepers: int) -> None:
    """Waits until all keepers take shards."""
    while len(cluster.places(lambda _: True)) < keepers:
        time.sleep(0.05)


@contextmanager
def ray_nodes(count: int, cpus: int) -> Iterator[str]:
    """A Ray cluster on this machine whose processes find the module sleeping; its address."""
    from ray.cluster_utils import Cluster as RayNodes

    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    nodes = RayNodes()
    try:
        for _ in range(count):
            nodes.add_node(num_cpus=cpus, include_dashboard=False)
        yield nodes.address
    finally:
        nodes.shutdown()


if __name__ == "__main__":
    main()
