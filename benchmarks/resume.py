"""How long a run takes to start on a folder with many finished units.

    python benchmarks/resume.py [--units 100000] [--part 5000]

Makes the folder with the real writer, all units of a job finished, then takes the steps of a
start: repair, units back from the archive, the plan, rows read, units left, the archive checked.
Then once more after an edit that takes a tenth of the units out, and one that brings them back.
Making the units' keys and training are not in it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from synthetic import key, record

from bnnray.attacks import PgdSettings
from bnnray.job import Unit
from bnnray.results import RunFolder, repair, write_batch
from bnnray.results.parts import new_batch_id
from bnnray.runtime.rerun import Rerun
from bnnray.runtime.resume import resume, write_units
from bnnray.threat import Domain, Threat

THREAT = Threat(Fraction(1, 100), Domain.GRID, 255)
ATTACK = PgdSettings(time_limit=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--part", type=int, default=5000, help="rows of a part file")
    parser.add_argument("--folder", type=Path, help="on the disk in question; a new one in /tmp")
    arguments = parser.parse_args()
    units = [_unit(number) for number in range(arguments.units)]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as path:
        run = RunFolder(Path(path))
        _make(run, units, arguments.part)
        print(f"{len(units)} units in {len(run.parts('results'))} parts of each table")
        _start("nothing to do", run, units)
        _start("a tenth left the job", run, units[len(units) // 10 :])
        _start("and is back", run, units)
    print(f"one process, {os.cpu_count()} cores, load average at the end {os.getloadavg()[0]:.1f}")


def _make(run: RunFolder, units: list[Unit], part: int) -> None:
    for start in range(0, len(units), part):
        numbers = range(start, min(start + part, len(units)))
        write_batch(run.path, new_batch_id(), [record(n, units[n].key) for n in numbers])


def _start(what: str, run: RunFolder, units: list[Unit]) -> None:
    began = time.perf_counter()
    repair(run)
    left = resume(run, units, None, Rerun.FAILED, lambda: write_units(run, units, None))
    print(f"{what}: {time.perf_counter() - began:.2f} s, {len(left)} units left")


def _unit(number: int) -> Unit:
    return Unit(key(number), key(-number), "net", number, THREAT, ATTACK)


if __name__ == "__main__":
    main()
