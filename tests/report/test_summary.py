"""The table at the end of a run, from rows with known answers."""

from bnnray.report import SummaryRow, summarize
from bnnray.results import ParquetSink, Record, RunFolder, write_table
from bnnray.results.schema import RESULTS, UNITS


def test_counts_flips_proofs_and_failures_in_the_order_of_the_job(tmp_path):
    run = RunFolder(tmp_path)
    found = [
        ("z", 0.1, "milp", True, "solver", 4.0, "optimal"),
        ("z", 0.1, "milp", False, "exact", 2.0, "infeasible"),
        ("z", 0.1, "milp", False, "none", 9.0, "time_limit"),
        ("z", 0.1, "milp", False, "none", 0.0, "crashed"),
        ("a", 0.1, "pgd", True, "none", 1.0, "iteration_limit"),
    ]
    units, records = [], []
    for n, (model, epsilon, attack, flipped, proof, seconds, status) in enumerate(found):
        unit = {"key": str(n), "model": model, "epsilon": epsilon, "attack": attack}
        units.append({c.name: unit.get(c.name) for c in UNITS})
        row = {**unit, "flipped": flipped, "proof": proof, "seconds": seconds, "status": status}
        records.append(Record({c.name: row.get(c.name) for c in RESULTS}))
    write_table(run.units, "units", units)
    sink = ParquetSink(tmp_path)
    sink.append(records[::-1])
    sink.flush()
    assert summarize(run) == [
        SummaryRow("z", 0.1, "milp", 4, 25.0, 50.0, 3.0, 1),
        SummaryRow("a", 0.1, "pgd", 1, 100.0, 0.0, 1.0, 0),
    ]
