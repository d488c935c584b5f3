"""An attack that only sleeps, in the solver's process: for what the runtime itself costs.

It is registered where this module is imported, which whoever unpickles its settings does.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from bnnray.attacks import ATTACKS, Attack, AttackSettings, Positive, Search
from bnnray.encodings.linear_model import LinearModel, RowBuilder
from bnnray.solvers import Limits, Problem, Scripted
from bnnray.verdicts import Status


class SleepSettings(AttackSettings):
    """Settings of the attack.

    Attributes:
        seconds: to sleep.
    """

    kind: Literal["sleep"] = "sleep"
    seconds: Positive = 1.0


class Sleep(Attack[SleepSettings]):
    """Finds nothing."""

    kind: ClassVar[str] = "sleep"
    settings_type: ClassVar[type[AttackSettings]] = SleepSettings

    def search(self, search: Search) -> Status:
        one = np.ones(1)
        model = LinearModel(
            one, one, one, one.astype(bool), *RowBuilder().build(variables=1), integral=True
        )
        limits = Limits(seconds=search.remaining)
        sleeper = Scripted(sleep=self.settings.seconds)
        search.solver.solve(sleeper, Problem(model), limits, lambda _: False)
        return Status.ITERATION_LIMIT


ATTACKS[Sleep.kind] = Sleep
