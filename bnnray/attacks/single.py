"""The attacks that are one search; a cascade runs any of them as its stages."""

from typing import Any

from bnnray.attacks.base import Attack
from bnnray.attacks.exact import Exact
from bnnray.attacks.iprop import Iprop
from bnnray.attacks.milp import Milp
from bnnray.attacks.pgd import Pgd

SINGLE: dict[str, type[Attack[Any]]] = {
    "pgd": Pgd,
    "iprop": Iprop,
    "milp": Milp,
    "exact": Exact,
}
"""These attacks by the kind that a job file names."""
