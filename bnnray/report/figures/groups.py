"""What bars and boxes are grouped by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bnnray.report.campaign import Campaign

Place = tuple[str, float, str]
"""A model, an epsilon and an attack."""


@dataclass(frozen=True)
class Groups:
    """Models, budgets and attacks, each in the order that they are shown.

    Args:
        models: a panel each.
        epsilons: a group each.
        attacks: a bar or box each.
    """

    models: tuple[str, ...]
    epsilons: tuple[float, ...]
    attacks: tuple[str, ...]

    @property
    def width(self) -> float:
        """Of one bar, where groups are 1 apart."""
        return 0.84 / len(self.attacks)

    def at(self, epsilon: float, attack: str) -> float:
        """Where the bar of an attack stands."""
        middle = (len(self.attacks) - 1) / 2
        aside = (self.attacks.index(attack) - middle) * self.width
        return self.epsilons.index(epsilon) + aside


def group(campaign: Campaign, places: Collection[Place]) -> Groups:
    """The groups that these places are in; models and attacks in the order of the job."""
    models = {model for model, _, _ in places}
    attacks = {attack for _, _, attack in places}
    return Groups(
        models=tuple(m for m in campaign.models if m in models),
        epsilons=tuple(sorted({epsilon for _, epsilon, _ in places})),
        attacks=tuple(a.name for a in campaign.attacks if a.name in attacks),
    )
