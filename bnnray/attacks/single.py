"""The attacks that are one search; a cascade runs any of them as its stages."""

from typing import Any

from bnnray.attacks.base import Attack
from bnnray.attacks.exact import Exact
from bnnray.attacks.iprop import Iprop
from bnnray.attacks.lns import Lns
from bnnray.attacks.milp import Milp
from bnnray.attacks.pgd import Pgd
from bnnray.attacks.sat import SatAttack

SINGLE: dict[str, type[Attack[Any]]] = {
    "pgd": Pgd,
    "iprop": Iprop,
    "milp": Milp,
    "exact": Exact,
    "lns": Lns,
    "sat": SatAttack,
}
"""These attacks by the kind that a job file names."""
