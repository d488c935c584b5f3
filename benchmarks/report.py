"""How long a large run takes to be asked and to be reported.

    python benchmarks/report.py --rows 1000000

Makes a run folder of as many finished units, each with five trace rows, in four parts: 5 networks x
5 budgets x 5 attacks x as many points as it takes. Then asks it a query, and makes its report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from synthetic import VERSIONS

from bnnray.report.report import make_report
from bnnray.results import RunFolder, query
from bnnray.results.tables import write_stream

MODELS = np.array(["2x100", "2x200", "2x500", "3x100", "5x100"])
ATTACKS = np.array(["pgd", "iprop", "iprop-5", "milp", "exact"])
EPSILONS = np.array([0.005, 0.01, 0.02, 0.03, 0.05])
STEPS = {"iprop": "adaptive", "iprop-5": 5}
PARTS, TRACE = 4, 5
LIMIT = 60.0

ASKED = "select model, epsilon, attack, avg(flipped::int) from results group by all"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder for the run, kept if it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(options.keep or Path(folder) / "run")
        if not run.units.exists():
            timed("made", lambda: make_run(run, options.rows))
        timed("count(*)", lambda: query(run, "select count(*) from results"))
        timed("flips by model, epsilon and attack", lambda: query(run, ASKED))
        timed("report", lambda: make_report(run).write(Path(folder) / "report.html"))


def timed(what: str, work: Any) -> None:
    began = time.perf_counter()
    work()
    print(f"{what}: {time.perf_counter() - began:.2f} s", flush=True)


def make_run(run: RunFolder, rows: int) -> None:
    """Writes the folder, its parts as the sink writes them."""
    run.claim("synthetic")
    run.write_provenance({"job": "synthetic"})
    size = rows // PARTS
    for part in range(PARTS):
        numbers = np.arange(part * size, (part + 1) * size)
        table = _results(numbers)
        write_stream(run.live["results"].new_part(), "results", [table])
        write_stream(run.live["trace"].new_part(), "trace", [_trace(numbers, table)])
    write_stream(run.units, "units", [_units(np.arange(rows))])


def _units(numbers: Any) -> pa.Table:
    columns = ["key", "question", "model", "point", "epsilon", "attack", "time_limit"]
    model, point = numbers // 5 % 5, numbers // 125
    return _results(numbers).select(columns).append_column("family", [_keys(5 * point + model)])


def _results(numbers: Any) -> pa.Table:
    rng = np.random.default_rng(0)
    attack, rest = numbers % 5, numbers // 5
    seconds = np.minimum(rng.lognormal(0.0, 2.0, len(numbers)), LIMIT)
    flipped = rng.random(len(numbers)) < 0.1 + 0.1 * ((rest // 5) % 5)
    proves = (attack >= 3) & (seconds < LIMIT)
    objective = np.where(flipped, 0.2, -0.3) + 0.1 * rng.random(len(numbers))
    finished = np.datetime64("2026-01-01", "us") + (1000 * numbers).astype("timedelta64[us]")
    return pa.table(
        {
            "key": _keys(numbers),
            "question": _keys(rest),
            "dataset": _same("mnist", numbers),
            "split": _same("test", numbers),
            "goal": _same("runner-up", numbers),
            "against": _same("predicted", numbers),
            "tie": _same("keep", numbers),
            "domain": _same("box", numbers),
            "versions": _same(VERSIONS, numbers),
            "model": pa.array(MODELS[rest % 5]),
            "epsilon": EPSILONS[(rest // 5) % 5],
            "point": rest // 25,
            "attack": pa.array(ATTACKS[attack]),
            "kind": pa.array(np.char.partition(ATTACKS, "-")[:, 0][attack]),
            "settings": pa.array([_settings(name) for name in ATTACKS]).take(pa.array(attack)),
            "verdict": pa.array(_verdicts(flipped, proves)),
            "proof": pa.array(np.where(proves, "solver", "none")),
            "status": pa.array(np.where(seconds < LIMIT, "optimal", "time_limit")),
            "flipped": flipped,
            "correct": rest % 20 > 0,
            "objective": 100 * objective,
            "objective_max": np.full(len(numbers), 100.0),
            "normalized": objective,
            "bound": np.where(proves, 100 * objective, np.nan),
            "seconds": seconds,
            "time_limit": np.full(len(numbers), LIMIT),
            "finished_at": pa.array(finished),
            "session": np.ones(len(numbers), dtype=np.int64),
        }
    )


def _verdicts(flipped: Any, proves: Any) -> Any:
    return np.where(flipped, "vulnerable", np.where(proves, "robust", "unknown"))


def _settings(attack: str) -> str:
    return json.dumps({"name": attack, "step": STEPS.get(attack)})


def _trace(numbers: Any, results: pa.Table) -> pa.Table:
    rng = np.random.default_rng(1)
    share = np.tile(np.linspace(0, 1, TRACE), len(numbers))
    seconds = np.repeat(results["seconds"].to_numpy(), TRACE)
    final = np.repeat(results["objective"].to_numpy(), TRACE)
    take = pa.array(np.repeat(np.arange(len(numbers)), TRACE))
    return pa.table(
        {
            "key": results["key"].take(take),
            "finished_at": results["finished_at"].take(take),
            "seconds": seconds * share**2 * rng.random(len(share)),
            "objective": final - 50 * (1 - share),
            "iteration": np.tile(np.arange(TRACE), len(numbers)),
        }
    )


def _keys(numbers: Any) -> pa.Array:
    """As many hexadecimal digits as a content key has, in no order."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array([f"{a:016x}{a ^ 0x5555555555555555:016x}" for a in mixed.tolist()])


def _same(value: str, numbers: Any) -> pa.Array:
    return pa.array(np.full(len(numbers), value))


if __name__ == "__main__":
    main()
