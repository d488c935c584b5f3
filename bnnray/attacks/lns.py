"""Large-neighbourhood search on the exact engine: a heuristic, and no proof.

From a good input most first-layer signs are kept as they are and some are freed, rather those that
are near their thresholds; the engine searches that neighbourhood for a better input (Shaw 1998
names the idea). A neighbourhood that was searched through makes the next ones larger, one that was
not makes them smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from bnnray.attacks.base import Attack
from bnnray.attacks.exact import check_pixels
from bnnray.attacks.pgd import Pgd, PgdSettings, check_warm_start, warm_start
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, Count, Stop
from bnnray.encodings import LayerRange, interval_ranges
from bnnray.threat import Domain, Witness, replay
from bnnray.verdicts import Status

if TYPE_CHECKING:
    from bnnray.exact.reduction import Reduction

NEARNESS = (0.0, 3.0, 8.0)
"""How strongly units near their thresholds are preferred; one is drawn each time."""

LEAST_SIZE = 8

FAILURES = 25
"""So many neighbourhoods in vain, and the search goes on elsewhere."""

CLIMB = PgdSettings(surrogate="reachable-tanh", restarts=1)
"""How elsewhere is found."""


class LnsSettings(AttackSettings):
    """Settings of ``kind = "lns"``.

    Attributes:
        stop: go on after a flip for the best objective, or end at the first.
        size: how many signs the first neighbourhood frees.
        nodes: of the engine's tree, for each neighbourhood.
        warm_start: a PGD attack whose best point is the start; the clean input without one.
    """

    kind: Literal["lns"] = "lns"
    stop: Stop = "optimum"
    size: Count = 15
    nodes: Count = 2000
    warm_start: PgdSettings | None = PgdSettings(
        surrogate="reachable-tanh", restarts=2, time_limit=1.0
    )

    @model_validator(mode="after")
    def _warm_start_fits(self) -> LnsSettings:
        check_warm_start(self.warm_start, self.time_limit)
        return self

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        check_pixels(self.kind, max_pixels)


class Lns(Attack[LnsSettings]):
    """Neighbourhood after neighbourhood until the time limit, or until one is everything."""

    kind: ClassVar[str] = "lns"
    settings_type: ClassVar[type[AttackSettings]] = LnsSettings

    @property
    def modules(self) -> tuple[str, ...]:
        return ("bnnray.exact.tree", *Pgd(CLIMB).modules)

    def search(self, search: Search) -> Status:
        from bnnray.exact.reduction import Reduction

        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        if self.settings.warm_start is not None and search.settled is None:
            warm_start(search, self.settings.warm_start)
        walk = _Walk(search, Reduction(search.question, ranges), ranges, self.settings)
        while search.settled is None and not walk.is_over:
            if search.remaining == 0:
                return Status.TIME_LIMIT
            walk.step()
        return search.settled or Status.LOCAL_OPTIMUM


class _Walk:
    """From input to input, each the best that was found near the one before."""

    def __init__(
        self,
        search: Search,
        reduction: Reduction,
        ranges: tuple[LayerRange, ...],
        settings: LnsSettings,
    ) -> None:
        from bnnray.exact.tree import no_knowledge

        self._search, self._reduction, self._ranges = search, reduction, ranges
        self._settings = settings
        self._random = np.random.default_rng(search.seed % 2**63)
        self._knowledge = no_knowledge(reduction.first)
        self._rows = len(reduction.first.units)
        self._size = self._fitting(settings.size)
        self._begin(search.incumbent.witness)
        self.is_over = self._rows == 0

    def step(self) -> None:
        """Searches one neighbourhood, and draws the conclusion."""
        search = self._search
        search.effort.iterations += 1
        better, whole = self._search_near(self._draw())
        if better is not None:
            self._here, self._failures = better, 0
            return
        self._failures += 1
        if whole and self._size == self._rows:
            self.is_over = True
        elif self._failures >= FAILURES:
            self._begin(self._elsewhere())
        else:
            self._size = self._fitting(self._size + 1 if whole else self._size - 1)

    def _begin(self, witness: Witness) -> None:
        self._here, self._failures = witness, 0
        self._size = self._fitting(self._settings.size)

    def _fitting(self, size: int) -> int:
        return min(self._rows, max(LEAST_SIZE, size))

    def _draw(self) -> npt.NDArray[np.bool_]:
        """Which rows are free."""
        far = np.abs(self._reduction.first.distances(self._here))
        weights = np.exp(-self._random.choice(NEARNESS) * far)
        chosen = self._random.choice(
            self._rows, self._size, replace=False, p=weights / weights.sum()
        )
        free = np.zeros(self._rows, dtype=bool)
        free[chosen] = True
        return free

    def _search_near(self, free: npt.NDArray[np.bool_]) -> tuple[Witness | None, bool]:
        """The best input of a neighbourhood that is better than here, if there is one; and whether
        the neighbourhood was searched through."""
        from bnnray.exact.tree import Tree

        search, question = self._search, self._search.question
        here = replay(question, self._here)
        target = question.best_target(here.scores)
        (objective,) = (o for o in question.objectives if o.target == target)
        tree = Tree(
            self._reduction.first,
            self._reduction.target(objective),
            self._knowledge,
            self._here,
            here.objective,
            free=free,
        )
        best, value, nodes = None, here.objective, search.effort.nodes
        while not tree.finished and tree.nodes < self._settings.nodes:
            if search.settled is not None or search.remaining == 0:
                break
            witness = tree.advance(self._settings.nodes - tree.nodes)
            search.effort.nodes = nodes + tree.nodes
            if witness is not None:
                search.offer(witness)
                found = replay(question, witness).objective
                if found > value:
                    best, value = witness, found
                    tree.raise_line(found)
        return best, tree.finished and tree.undecided is None

    def _elsewhere(self) -> Witness:
        """The best input of a climb from a random start."""
        from bnnray.models.ascent import Ascent, AscentSettings, Point

        point = Point(self._search.question, int(self._random.integers(2**62)), self._ranges)
        settings = AscentSettings(CLIMB.surrogate, CLIMB.iterations, CLIMB.restarts, CLIMB.step)
        best, value = self._here, -np.inf
        for iterate in Ascent([point], settings, threads=self._search.threads).run():
            if iterate.objectives[0] > value:
                best, value = iterate.witness(0), iterate.objectives[0]
        self._search.offer(best)
        return best
