"""The complete attack by bnnray's own engine, see docs/exact_engine.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import StrictBool

from bnnray.attacks.base import Attack
from bnnray.attacks.bounds import TargetBounds
from bnnray.attacks.programs import below, least_wanted
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, Count, Stop
from bnnray.encodings import interval_ranges
from bnnray.errors import UsageError
from bnnray.threat import Domain, Objective
from bnnray.verdicts import Proof, Status

if TYPE_CHECKING:
    from bnnray.exact.proof import ProofText
    from bnnray.exact.reduction import Reduction
    from bnnray.exact.tree import Tree

MANY_NODES = 2**62


class ExactSettings(AttackSettings):
    """Settings of ``kind = "exact"``.

    Attributes:
        stop: prove the optimum, or end at the first flip or the proof that there is none.
        node_limit: nodes of the search tree, of all targets together; none unless given.
        proof: write the tree down, so that ``bnnray check-proof`` can check it: docs/proofs.md.
    """

    kind: Literal["exact"] = "exact"
    stop: Stop = "optimum"
    node_limit: Count | None = None
    proof: StrictBool = False

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        check_pixels(self.kind, max_pixels)


def check_pixels(kind: str, max_pixels: int | None) -> None:
    """Refuses a limit of the number of changed pixels, which the engine does not know.

    Raises:
        UsageError: there is one.
    """
    if max_pixels is not None:
        raise UsageError(
            f'kind = "{kind}" does not limit how many pixels change; got max_pixels = '
            f'{max_pixels}: leave it out, or use kind = "milp"'
        )


class Exact(Attack[ExactSettings]):
    """One tree for each target, in the order of clean scores; they share what they learn."""

    kind: ClassVar[str] = "exact"
    settings_type: ClassVar[type[AttackSettings]] = ExactSettings
    complete: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        return ("bnnray.exact.tree",)  # and so the compiled kernels

    def search(self, search: Search) -> Status:
        from bnnray.exact.proof import ProofText
        from bnnray.exact.reduction import Reduction

        began = search.elapsed
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        bounds = TargetBounds(search, ranges[-1])
        reduction = Reduction(search.question, ranges)
        proof = ProofText(reduction.first) if self.settings.proof else None
        built = search.elapsed
        search.effort.build_seconds = built - began
        limit = self._ask_targets(search, reduction, bounds, proof)
        search.effort.solve_seconds = search.elapsed - built
        if proof is not None and limit is None:
            search.proof_text = proof.text()
        return search.settled or limit or Status.OPTIMAL

    def _ask_targets(
        self, search: Search, reduction: Reduction, bounds: TargetBounds, proof: ProofText | None
    ) -> Status | None:
        """None when no target has more to tell, else why the search stopped."""
        from bnnray.exact.tree import Tree, no_knowledge

        knowledge, undecided = no_knowledge(reduction.first), False
        for objective in search.question.objectives:
            wanted = least_wanted(search, objective)
            if proof is not None:
                proof.begin(objective.target)
            elif search.settled is not None or bounds.of(objective) < wanted:
                continue
            target, start = reduction.target(objective), search.incumbent.witness
            line = below(objective, wanted)
            tree = Tree(reduction.first, target, knowledge, start, line, proof)
            stopped = self._grow(search, objective, tree, bounds)
            if stopped is not None:
                return stopped
            if proof is not None:
                proof.end(min(tree.bound, reduction.bound(objective)))
            undecided |= tree.undecided is not None
        if not undecided:
            return None
        search.message = "some cells are too thin to tell whether an input is in them"
        return Status.ITERATION_LIMIT

    def _grow(
        self, search: Search, objective: Objective, tree: Tree, bounds: TargetBounds
    ) -> Status | None:
        """None when a tree is finished or of no more use, else why it stopped."""
        before = search.effort.nodes
        while not tree.finished:
            if search.settled is not None and not self._is_wanted_whole(search):
                return search.settled
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
        return None

    def _is_wanted_whole(self, search: Search) -> bool:
        """Whether a tree is to be finished though the question is settled: for its proof."""
        return self.settings.proof and search.settled is not Status.FLIP_FOUND
