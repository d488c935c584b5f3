"""How fast finished units are written, and how many files that makes.

    python benchmarks/sink.py [--rows 20000] [--folder DIR]

A row here has every column filled, a trace of five points and a witness of 784 pixels, as MNIST's
has. Rows go to a ParquetSink in portions of 16, as from a shard; every file is synced to disk.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from synthetic import record

from bnnray.results import ParquetSink


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="on the disk in question; a new one in /tmp")
    arguments = parser.parse_args()
    records = [record(number) for number in range(arguments.rows)]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        seconds = _write(Path(folder), records)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    load = os.getloadavg()[0]
    print(f"{len(records)} rows in {seconds:.2f} s: {len(records) / seconds:.0f} rows/s")
    print(f"{len(files)} files, {size / 2**20:.1f} MiB")
    print(f"one process, {os.cpu_count()} cores, load average before the end {load:.1f}")


def _write(folder: Path, records: list) -> float:
    sink = ParquetSink(folder)
    began = time.perf_counter()
    for start in range(0, len(records), 16):
        sink.append(records[start : start + 16])
    sink.flush()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
