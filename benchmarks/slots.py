"""What a slot costs, and how well it holds hostile units to their limits.

    python benchmarks/slots.py

One keeper in this process, without Ray. Units sleep in the solver's process: for the time that is
asked for, or for an hour, deaf to their limit of 0.2 s. The machine's cores stay nearly free, so
that what is measured is the slots' own work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sleeping import SleepSettings
from tiny_run import tiny_context, tiny_units

from bnnray.job import Unit
from bnnray.processes import Process
from bnnray.results.tables import Row
from bnnray.runtime import slot_process
from bnnray.runtime.cluster import Shard
from bnnray.runtime.keeper import Keeper
from bnnray.solvers import CHILD_MODULES
from bnnray.solvers.serve import serve

LIMIT = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--hostile", type=int, default=1000, help="units deaf to their limit")
    asked = parser.parse_args()
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    began = time.perf_counter()
    keeper = Keeper(tiny_context(), asked.slots)
    run(keeper, asked.slots, sleepers(asked.slots, 0.01))
    print(f"{asked.slots} slots answer after {time.perf_counter() - began:.2f} s")
    starts(keeper)
    for seconds, count in ((0.01, 200), (0.1, 100), (1.0, 10)):
        added(keeper, asked.slots, seconds, count * asked.slots)
    overruns(keeper, asked.slots, asked.hostile)
    keeper.close()


def starts(keeper: Keeper) -> None:
    """A forked process against a fresh interpreter that loads the same."""
    address = keeper._nursery.ready()
    forked = min(timed(lambda: Process(address, serve).close()) for _ in range(20))
    modules = (slot_process.__name__, *CHILD_MODULES)
    command = [sys.executable, "-c", f"import {', '.join(modules)}"]
    fresh = min(timed(lambda: subprocess.run(command, check=True)) for _ in range(5))
    print(f"a process: {1000 * forked:.1f} ms forked, {1000 * fresh:.0f} ms as a new interpreter")


def added(keeper: Keeper, slots: int, seconds: float, count: int) -> None:
    """Time of a unit beyond what it sleeps, each in a shard of its own."""
    wall = timed(lambda: run(keeper, slots, sleepers(count, seconds)))
    each = wall * slots / count
    print(f"units of {1000 * seconds:.0f} ms: {1000 * (each - seconds):.1f} ms added per unit")


def overruns(keeper: Keeper, slots: int, count: int) -> None:
    """Seconds past the limit of units that ignore it."""
    records = run(keeper, slots, sleepers(count, 3600.0, LIMIT))
    assert {record["status"] for record in records} == {"killed"}
    over = np.sort([record["seconds"] - LIMIT for record in records])
    late = np.quantile(over, [0.5, 0.99, 1.0])
    print(
        f"{count} hostile units of {LIMIT} s end after their limit by: median {late[0]:.2f} s, "
        f"99 % under {late[1]:.2f} s, all under {late[2]:.2f} s"
    )


def run(keeper: Keeper, slots: int, units: list[Unit]) -> list[Row]:
    """The rows of units, with every slot busy."""
    with ThreadPoolExecutor(slots) as pool:
        done = list(pool.map(lambda unit: keeper.run(Shard((unit,))), units))
    assert not any(each.error for each in done)
    return [record.row for each in done for record in each.records]


def timed(what: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def sleepers(count: int, seconds: float, limit: float = 60.0) -> list[Unit]:
    """Units that sleep."""
    return tiny_units(count, SleepSettings(time_limit=limit, seconds=seconds))


if __name__ == "__main__":
    main()
