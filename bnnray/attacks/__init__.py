"""The attacks, one file each."""

from typing import Any

from bnnray.attacks.base import Attack, Found, Task, failed, why_failed
from bnnray.attacks.cascade import Cascade, CascadeSettings
from bnnray.attacks.exact import Exact, ExactSettings
from bnnray.attacks.iprop import Iprop, IpropSettings
from bnnray.attacks.iteration import Iteration, Subproblem
from bnnray.attacks.lns import Lns, LnsSettings
from bnnray.attacks.milp import Milp, MilpSettings
from bnnray.attacks.pgd import Pgd, PgdSettings
from bnnray.attacks.sat import SatAttack, SatSettings
from bnnray.attacks.search import Effort, Incumbent, Outcome, Search, TracePoint
from bnnray.attacks.settings import AttackSettings, Count, Positive, Seconds
from bnnray.attacks.single import SINGLE
from bnnray.attacks.together import Together, flip_all
from bnnray.errors import UsageError, unknown_name

ATTACKS: dict[str, type[Attack[Any]]] = {**SINGLE, "cascade": Cascade}
"""Attacks by the kind that a job file names."""


def attack_type(kind: str) -> type[Attack[Any]]:
    """The attack of a kind.

    Raises:
        UsageError: an unknown kind.
    """
    if kind not in ATTACKS:
        raise UsageError(unknown_name("kind of attack", kind, ATTACKS))
    return ATTACKS[kind]


def make_attack(settings: AttackSettings) -> Attack[Any]:
    """The attack that some settings describe."""
    return attack_type(settings.kind)(settings)


__all__ = [
    "ATTACKS",
    "SINGLE",
    "Attack",
    "AttackSettings",
    "Cascade",
    "CascadeSettings",
    "Count",
    "Effort",
    "Exact",
    "ExactSettings",
    "Found",
    "Incumbent",
    "Iprop",
    "IpropSettings",
    "Iteration",
    "Lns",
    "LnsSettings",
    "Milp",
    "MilpSettings",
    "Outcome",
    "Pgd",
    "PgdSettings",
    "Positive",
    "SatAttack",
    "SatSettings",
    "Search",
    "Seconds",
    "Subproblem",
    "Task",
    "Together",
    "TracePoint",
    "attack_type",
    "failed",
    "flip_all",
    "make_attack",
    "why_failed",
]
