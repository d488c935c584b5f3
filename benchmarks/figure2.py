"""The table of flips that figure 2 of Khalil et al. (2018) draws, from run folders.

    bnnray run jobs/khalil_figure2_small_mnist.toml
    bnnray run jobs/khalil_figure2_small_fashion.toml
    python benchmarks/figure2.py runs/khalil_figure2_small_mnist runs/khalil_figure2_small_fashion

Flips are points with a replayed flip; decided are those with a flip or a proof that there is none;
objectives are means of objective / largest objective conceivable, of the attacks that search the
largest one to the end.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bnnray.results import RunFolder, query

COUNTED = {
    "flips": (("pgd", "iprop", "milp", "exact", "cascade"), "count(*) filter ({one} and flipped)"),
    "decided": (("milp", "exact", "cascade"), "count(*) filter ({one} and verdict <> 'unknown')"),
    "objective": (("pgd", "iprop", "milp", "exact"), "avg(normalized) filter ({one})"),
}
NAMES = {"pgd": "FGSM", "iprop": "IProp", "milp": "MILP"}

SQL = """
select dataset, model, epsilon, {columns} from results group by all
order by dataset desc, model, epsilon
"""


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    columns = [
        counted.format(one=f"attack = '{attack}'")
        for attacks, counted in COUNTED.values()
        for attack in attacks
    ]
    head = ["data", "network", "epsilon", *titles()]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for folder in sys.argv[1:]:
        run = RunFolder(Path(folder))
        for row in query(run, SQL.format(columns=", ".join(columns))).rows:
            cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
            cells[2] = f"{row[2]:g}"
            print(f"| {' | '.join(cells)} |")


def titles() -> list[str]:
    """Of the columns; the first of each kind says what is counted."""
    found = []
    for what, (attacks, _) in COUNTED.items():
        names = [NAMES.get(attack, attack) for attack in attacks]
        found += [f"{what}: {names[0]}", *names[1:]]
    return found


if __name__ == "__main__":
    main()
