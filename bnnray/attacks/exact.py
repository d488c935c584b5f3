"""The complete attack by bnnray's own engine, see docs/exact_engine.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bnnray.attacks.base import Attack
from bnnray.attacks.bounds import TargetBounds
from bnnray.attacks.programs import below, least_wanted
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, Count, Stop
from bnnray.encodings import interval_ranges
from bnnray.threat import Objective
from bnnray.verdicts import Proof, Status

if TYPE_CHECKING:
    from bnnray.exact.tree import Tree

MANY_NODES = 2**62


class ExactSettings(AttackSettings):
    """Settings of ``kind = "exact"``.

    Attributes:
        stop: prove the optimum, or end at the first flip or the proof that there is none.
        node_limit: nodes of the search tree, of all targets together; none unless given.
    """

    kind: Literal["exact"] = "exact"
    stop: Stop = "optimum"
    node_limit: Count | None = None


class Exact(Attack[ExactSettings]):
    """One tree for each target, in the order of clean scores; they share what they learn."""

    kind: ClassVar[str] = "exact"
    settings_type: ClassVar[type[AttackSettings]] = ExactSettings
    complete: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        return ("bnnray.exact.tree",)  # and so the compiled kernels

    def search(self, search: Search) -> Status:
        from bnnray.exact.reduction import Reduction
        from bnnray.exact.tree import Tree, no_knowledge

        began = search.elapsed
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        bounds = TargetBounds(search, ranges[-1])
        reduction = Reduction(search.question, ranges)
        knowledge = no_knowledge(reduction.first)
        built = search.elapsed
        search.effort.build_seconds = built - began
        for objective in search.question.objectives:
            if search.settled is not None:
                break
            wanted = least_wanted(search, objective)
            if bounds.of(objective) < wanted:
                continue
            target, start = reduction.target(objective), search.incumbent.witness
            line = below(objective, wanted)
            tree = Tree(reduction.first, target, knowledge, start, line)
            status = self._grow(search, objective, tree, bounds)
            if status is not None:
                return search.settled or status
        search.effort.solve_seconds = search.elapsed - built
        return search.settled or Status.ITERATION_LIMIT

    def _grow(
        self, search: Search, objective: Objective, tree: Tree, bounds: TargetBounds
    ) -> Status | None:
        """None when the tree is finished, else which limit ended it."""
        before = search.effort.nodes
        while not tree.finished and search.settled is None:
            nodes = (self.settings.node_limit or MANY_NODES) - search.effort.nodes
            if nodes <= 0:
                return Status.NODE_LIMIT
            if search.remaining == 0:
                return Status.TIME_LIMIT
            witness = tree.advance(nodes)
            search.effort.nodes = before + tree.nodes
            if witness is not None and search.offer(witness):
                tree.raise_line(below(objective, least_wanted(search, objective)))
            bounds.tighten(objective, tree.bound, Proof.EXACT)
        if tree.undecided is not None and search.settled is None:
            search.message = "some cells are too thin to tell whether an input is in them"
        return None
