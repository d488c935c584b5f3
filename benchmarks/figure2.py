"""The table of flips that figure 2 of Khalil et al. (2018) draws, from run folders.

    bnnray run jobs/khalil_figure2_small_mnist.toml
    bnnray run jobs/khalil_figure2_small_fashion.toml
    python benchmarks/figure2.py runs/khalil_figure2_small_mnist runs/khalil_figure2_small_fashion

Flips are points with a replayed flip, of all points; "proven" counts MILP's proofs, of an optimum
or that there is no flip; objectives are means of objective / largest objective conceivable.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bnnray.results import RunFolder, query

ATTACKS = ("pgd", "iprop", "milp")

SQL = """
select dataset, model, epsilon, count(distinct point) as points,
       {flips},
       count(*) filter (attack = 'milp' and proof <> 'none') as proven,
       {objectives}
from results
group by all
order by dataset desc, model, epsilon
"""

HEAD = """
| data | network | epsilon | points | flips: FGSM | IProp | MILP | proven | objective: FGSM | IProp | MILP |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""  # noqa: E501  a table of Markdown has no line breaks


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    flips = ", ".join(f"count(*) filter (attack = '{a}' and flipped)" for a in ATTACKS)
    objectives = ", ".join(f"avg(normalized) filter (attack = '{a}')" for a in ATTACKS)
    print(HEAD.strip())
    for folder in sys.argv[1:]:
        run = RunFolder(Path(folder))
        for row in query(run, SQL.format(flips=flips, objectives=objectives)).rows:
            cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
            cells[2] = f"{row[2]:g}"
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
