"""What an attack holds while it searches: the clock, the judge, the incumbent, the trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

from bnnray.attacks.aims import Aim, Known, make_aim
from bnnray.attacks.iteration import Iteration
from bnnray.errors import BugError, WitnessError
from bnnray.solvers import Solution, Solver
from bnnray.threat import Norm, Question, Replayed, Witness, replay
from bnnray.verdicts import Proof, Replay, Status, Verdict, judge, weakest

Clock = Callable[[], float]
Limit = tuple[Fraction, Proof]
"""A proven limit and what it rests on."""


class Listener(Protocol):
    """Is told of a search as it goes, so that what it finds outlives it."""

    def begun(self) -> None:
        """Its clock runs."""
        ...

    def found(self, witness: Witness) -> None:
        """A better incumbent."""
        ...

    def proved(self, bound: Fraction, proof: Proof) -> None:
        """A better bound."""
        ...

    def proved_distance(self, least: Fraction, proof: Proof) -> None:
        """A better lower limit of the distance."""
        ...

    def took_back(self) -> None:
        """What was said to be proven counts no more."""
        ...


class Nobody:
    """Does not listen."""

    def begun(self) -> None: ...

    def found(self, witness: Witness) -> None: ...

    def proved(self, bound: Fraction, proof: Proof) -> None: ...

    def proved_distance(self, least: Fraction, proof: Proof) -> None: ...

    def took_back(self) -> None: ...


@dataclass(frozen=True)
class TracePoint:
    """One step of the anytime curve.

    Args:
        seconds: since the unit began.
        objective: of the incumbent.
        bound: proven so far, or None.
        iteration: of the attack.
        distance: of the incumbent, if the smallest perturbation is wanted and it flips.
    """

    seconds: float
    objective: Fraction
    bound: Fraction | None
    iteration: int
    distance: Fraction | None = None


@dataclass(frozen=True, eq=False)
class Incumbent:
    """The best replayed input so far."""

    witness: Witness
    replayed: Replayed

    @property
    def objective(self) -> Fraction:
        return self.replayed.objective


@dataclass
class Effort:
    """What a search spent.

    Attributes:
        iterations, nodes: steps of the attack, nodes of solvers' trees.
        build_seconds, solve_seconds: wall time of encoding and of solving.
        warm_start_seconds: wall time of the warm start, a part of the unit's seconds.
        child_cpu_seconds: CPU time of the solver's process.
        peak_rss_bytes: largest resident memory of the solver's process; 0 without one.
        backend: which solver, "" without one.
        batch_size: how many units were searched together.
        unstable: first-layer units that can change sign.
        variables, constraints: of the largest program or formula that a solver got.
    """

    iterations: int = 0
    nodes: int = 0
    build_seconds: float = 0.0
    solve_seconds: float = 0.0
    warm_start_seconds: float = 0.0
    child_cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    backend: str = ""
    batch_size: int = 1
    unstable: int | None = None
    variables: int = 0
    constraints: int = 0

    def add(self, solution: Solution, seconds: float) -> None:
        """Counts one solve."""
        self.nodes += solution.nodes
        self.build_seconds += solution.build_seconds
        self.solve_seconds += seconds - solution.build_seconds
        self.child_cpu_seconds += solution.cpu_seconds
        self.peak_rss_bytes = max(self.peak_rss_bytes, solution.peak_rss_bytes)

    def measure(self, variables: int, constraints: int) -> None:
        """Notes the size of what a solver gets."""
        self.variables = max(self.variables, variables)
        self.constraints = max(self.constraints, constraints)

    def __add__(self, later: Effort) -> Effort:
        """Of two searches of a question, one after the other."""
        return Effort(
            iterations=self.iterations + later.iterations,
            nodes=self.nodes + later.nodes,
            build_seconds=self.build_seconds + later.build_seconds,
            solve_seconds=self.solve_seconds + later.solve_seconds,
            warm_start_seconds=self.warm_start_seconds + later.warm_start_seconds,
            child_cpu_seconds=self.child_cpu_seconds + later.child_cpu_seconds,
            peak_rss_bytes=max(self.peak_rss_bytes, later.peak_rss_bytes),
            backend=later.backend or self.backend,
            batch_size=max(self.batch_size, later.batch_size),
            unstable=self.unstable if later.unstable is None else later.unstable,
            variables=max(self.variables, later.variables),
            constraints=max(self.constraints, later.constraints),
        )


@dataclass(frozen=True)
class Proven:
    """What a search has proven.

    Args:
        bound: upper limit of the objective, or None.
        nearest: lower limit of the distance of any flip, or None.
        targets: upper limits of the targets' objectives, of all or of none.
    """

    bound: Limit | None = None
    nearest: Limit | None = None
    targets: Mapping[int, Limit] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search has found out about its question.

    Args:
        verdict, proof, status: as in the contract.
        replay: whether the exact network agreed with the claims.
        incumbent: the best replayed input, the clean one at least; None if nothing ran.
        claimed: the objective of the last claim that the replay denied, or the incumbent's.
        bound: proven upper limit of the objective, or None.
        seconds: wall time.
        trace: the anytime curve, beginning with the clean objective.
        effort: what was spent.
        message: what to tell about an unusual end.
        distance: of the incumbent, if the smallest perturbation is wanted and it flips.
        distance_bound: proven lower limit of the distance of any flip, if it is wanted and there
            may be one.
        iterations: of IProp, where a record was asked for.
        decided_by: the stage of a cascade that brought about the verdict or, later, its end; ""
            without one.
        stage_seconds: wall time of each stage of a cascade that ran, in their order.
        proof_text: of the exact engine, where it was asked for and the bound rests on it alone.
    """

    verdict: Verdict
    proof: Proof
    status: Status
    replay: Replay
    incumbent: Incumbent | None
    claimed: Fraction | None
    bound: Fraction | None
    seconds: float
    trace: tuple[TracePoint, ...]
    effort: Effort
    message: str = ""
    distance: Fraction | None = None
    distance_bound: Fraction | None = None
    iterations: tuple[Iteration, ...] = ()
    decided_by: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    proof_text: str = ""


@dataclass
class Search:
    """One search of one question.

    An attack offers witnesses and proves bounds; it never judges. The clean input is the first
    incumbent.

    Attributes:
        question: what is searched: what is asked, or behind a quantizer the question of its levels.
        started: when this object was created, by its clock.
        time_limit: seconds for the whole unit, from then on.
        stop: "optimum", or "flip" to end at the first flip or at the proof that there is none.
        minimize: the norm of the smallest perturbation, if that is wanted instead.
        complete: whether the attack can prove; a heuristic that tries to is a bug.
        seed: of every random choice.
        solver: runs back ends.
        threads: cores that a solve may use.
        listener: is told of what is found.
        effort: for the attack to fill in.
        message: for the attack to fill in.
        fallback: the back end that "auto" stands for, as far as it is known by now.
        iterations: for the attack to fill in, where a record was asked for.
        decided_by, stage_seconds: for a cascade to fill in.
        proof_text: for the attack to fill in, where it was asked for.
    """

    question: Question
    time_limit: float
    seed: int
    solver: Solver
    stop: str = "optimum"
    minimize: Norm | None = None
    complete: bool = True
    threads: int = 1
    listener: Listener = field(default_factory=Nobody)
    clock: Clock = time.monotonic
    effort: Effort = field(default_factory=Effort)
    message: str = ""
    fallback: str = "gurobi"
    iterations: list[Iteration] = field(default_factory=list)
    decided_by: str = ""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    proof_text: str = ""
    _trace: list[TracePoint] = field(default_factory=list)
    _proven: Proven = field(default_factory=Proven)
    _trusted: Proven = field(default_factory=Proven)
    _claimed: Fraction | None = None
    _denied: bool = False
    _finished: float | None = None

    def __post_init__(self) -> None:
        self.question = self.question.searched
        self.started = self.clock()
        self._aim: Aim = make_aim(self.stop, self.minimize)
        clean = self.question.region.clean_witness
        self.incumbent = Incumbent(clean, replay(self.question, clean))
        self._note(0.0)
        self.listener.begun()

    @property
    def elapsed(self) -> float:
        """Seconds since the search began, or until it was finished."""
        return (self.clock() if self._finished is None else self._finished) - self.started

    @property
    def remaining(self) -> float:
        """Seconds left of the time limit, 0 at least."""
        return max(0.0, self.time_limit - self.elapsed)

    @property
    def objective(self) -> Fraction:
        """Of the incumbent."""
        return self.incumbent.objective

    @property
    def best_target(self) -> int:
        """The target whose score is the highest at the incumbent."""
        return self.question.best_target(self.incumbent.replayed.scores)

    @property
    def bound(self) -> Fraction | None:
        """The least proven upper limit of the objective."""
        return None if self._proven.bound is None else self._proven.bound[0]

    @property
    def targets(self) -> Mapping[int, Limit]:
        """The proven upper limits of the targets' objectives, of all or of none."""
        return self._proven.targets

    @property
    def settled(self) -> Status | None:
        """Why nothing is left to search, or None while something is."""
        return self._aim.settled(self._known)

    @property
    def closed(self) -> bool:
        """Whether the incumbent counts as proven to be the best; it may be before it settles."""
        return self._aim.closed(self._known)

    @property
    def verdict(self) -> Verdict:
        """What is known by now."""
        return judge(self.objective, self.bound, self.question.threat.tie)

    @property
    def distance(self) -> Fraction | None:
        """Of the incumbent, if the smallest perturbation is wanted and it flips."""
        replayed = self.incumbent.replayed
        if self.minimize is None or not replayed.flipped:
            return None
        return replayed.distance(self.minimize)

    def offer(self, witness: Witness, claimed: Fraction | None = None) -> bool:
        """Replays a witness; a better one becomes the incumbent.

        Args:
            witness: a point of the region of :attr:`question`.
            claimed: the objective that it is said to have.

        Returns:
            Whether the replay reached what was claimed; True where nothing was.
        """
        try:
            replayed = replay(self.question, witness)
        except WitnessError as error:
            self.message = str(error)
            return self._deny(claimed)
        if self._aim.rank(replayed) > self._aim.rank(self.incumbent.replayed):
            self.incumbent = Incumbent(witness, replayed)
            self._note(self.elapsed)
            self.listener.found(witness)
        if claimed is not None and replayed.objective < claimed:
            return self._deny(claimed)
        return True

    def prove(self, bound: Fraction, proof: Proof) -> None:
        """Takes a proven upper limit of the objective.

        Raises:
            BugError: a replayed witness is above it, or the attack is a heuristic.
        """
        if not self.complete:
            raise BugError("a heuristic must not prove")
        if bound < self.objective:
            raise BugError(
                f"a bound of {bound} was proven ({proof}), and a replayed witness has "
                f"{self.objective}"
            )
        if self.bound is None or bound < self.bound:
            self._proven = replace(self._proven, bound=(bound, proof))
            self._note(self.elapsed)
            self.listener.proved(bound, proof)

    def prove_targets(self, limits: Mapping[int, Limit]) -> None:
        """Takes a proven upper limit of every target's objective; the question's is the largest.

        Raises:
            BugError: as :meth:`prove` does.
        """
        bounds, proofs = zip(*limits.values(), strict=True)
        self.prove(max(bounds), weakest(proofs))
        self._proven = replace(self._proven, targets=limits)

    def prove_distance(self, least: Fraction, proof: Proof) -> None:
        """Takes a proven lower limit of the distance of any flip, where that is wanted.

        Raises:
            BugError: a replayed flip is nearer, or the attack is a heuristic.
        """
        if self.minimize is None:
            return
        if not self.complete:
            raise BugError("a heuristic must not prove")
        if self.distance is not None and self.distance < least:
            raise BugError(
                f"a least distance of {least} was proven ({proof}), and a replayed flip has "
                f"{self.distance}"
            )
        known = self._proven.nearest
        if known is None or least > known[0]:
            self._proven = replace(self._proven, nearest=(least, proof))
            self.listener.proved_distance(least, proof)

    def trust(self) -> None:
        """Lets what is proven by now count even if the search crashes later."""
        self._trusted = self._proven

    def distrust(self) -> None:
        """Takes back what was proven since :meth:`trust`."""
        if self._proven is self._trusted:
            return
        self._proven = self._trusted
        self._note(self.elapsed)
        self.listener.took_back()
        if self._proven.bound is not None:
            self.listener.proved(*self._proven.bound)
        if self._proven.nearest is not None:
            self.listener.proved_distance(*self._proven.nearest)

    def finish(self) -> None:
        """Stops this search's clock, for a search that ends before others of its batch."""
        self._finished = self.clock()

    def resume(self) -> None:
        """Lets the clock run again as if it had never stopped."""
        self._finished = None

    def outcome(self, status: Status) -> Outcome:
        """What is known at the end; only the replayed and the proven count."""
        proven = self._trusted if status is Status.CRASHED else self._proven
        known = self._known_by(proven)
        nearest = self._known.nearest
        if self.distance is not None and self.distance < nearest:
            raise BugError(f"a replayed flip at {self.distance} is nearer than {nearest}")
        verdict = judge(self.objective, known.bound, known.tie)
        claimed = self._claimed if self._denied else None
        denied = claimed is not None and not self._aim.reached(known, claimed)
        if denied and status is Status.OPTIMAL:
            status = Status.BAD_WITNESS
        return Outcome(
            verdict=verdict,
            proof=self._proof_of(verdict, known, proven),
            status=status,
            replay=Replay.DISAGREES if denied else Replay.OK,
            incumbent=self._incumbent_of_asked,
            claimed=self._claimed if denied else self.objective,
            bound=known.bound,
            seconds=self.elapsed,
            trace=tuple(self._trace),
            effort=self.effort,
            message=self.message,
            distance=self.distance,
            distance_bound=self._distance_bound(verdict, known),
            iterations=tuple(self.iterations),
            decided_by=self.decided_by,
            stage_seconds=dict(self.stage_seconds),
            proof_text=self.proof_text,
        )

    @property
    def _incumbent_of_asked(self) -> Incumbent:
        incumbent = self.incumbent
        return Incumbent(self.question.input_of(incumbent.witness), incumbent.replayed)

    @property
    def _known(self) -> Known:
        return self._known_by(self._proven)

    def _known_by(self, proven: Proven) -> Known:
        bound = None if proven.bound is None else proven.bound[0]
        nearest = Fraction(0) if proven.nearest is None else proven.nearest[0]
        return Known(self.incumbent.replayed, bound, nearest, self.question.threat.tie)

    def _proof_of(self, verdict: Verdict, known: Known, proven: Proven) -> Proof:
        by_bound = verdict is Verdict.ROBUST or self.minimize is None
        if verdict is not Verdict.ROBUST and not self._aim.closed(known):
            return Proof.NONE
        limit = proven.bound if by_bound else proven.nearest
        return Proof.NONE if limit is None else limit[1]

    def _distance_bound(self, verdict: Verdict, known: Known) -> Fraction | None:
        if self.minimize is None or verdict is Verdict.ROBUST:
            return None
        return known.nearest

    def _deny(self, claimed: Fraction | None) -> bool:
        self._denied = True
        if claimed is not None and (self._claimed is None or claimed > self._claimed):
            self._claimed = claimed
        return False

    def _note(self, seconds: float) -> None:
        iteration = self.effort.iterations
        self._trace.append(
            TracePoint(seconds, self.objective, self.bound, iteration, self.distance)
        )
