"""IProp against Algorithm 1: every invariant on recorded runs, and how runs end."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Size, random_network, random_question

from bnnray.attacks import Iprop, IpropSettings, Outcome, Search, Task
from bnnray.attacks.iprop.starts import start_hidden, start_input
from bnnray.attacks.iprop.step_size import StepSize
from bnnray.encodings import encode_hidden, encode_input, interval_ranges
from bnnray.errors import LicenceError
from bnnray.solvers import BACKENDS, Child, InProcess, Solution
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon, replay
from bnnray.verdicts import Proof, Status, Verdict

SIZE = Size(pixels=40, hidden=(30, 25, 40), classes=4, levels=255)


def make_question(seed: int, goal: str = "runner-up", domain: Domain = Domain.GRID) -> Question:
    rng = np.random.default_rng(seed)
    network = random_network(rng, SIZE, nasty=False)
    pixels = rng.integers(0, 256, size=SIZE.pixels)
    return Question(network, pixels, 255, 0, Threat(parse_epsilon("0.05"), domain, goal=Goal(goal)))


def run(question: Question, seed: int = 0, solver=None, **settings) -> Outcome:
    given = {"backend": "highs", "subproblem_patience": "off", "record": True}
    given |= {"time_limit": 250, **settings}
    task = Task(question, seed)
    return Iprop(IpropSettings(**given)).run([task], solver or InProcess())[0]


@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("goal", ["runner-up", "any"])
@pytest.mark.parametrize("domain", list(Domain))
def test_every_invariant_of_algorithm_1(domain, goal, name):
    for seed in range(3):
        question = make_question(seed, goal, domain)
        outcome = run(question, seed, backend=name)
        assert outcome.status is Status.LOCAL_OPTIMUM
        assert len(outcome.iterations) == outcome.effort.iterations > 0
        check_iterations(question, outcome)


def check_iterations(question: Question, outcome: Outcome) -> None:
    ranges = interval_ranges(question)
    best = question.clean_objective
    step = StepSize("adaptive", question.network.widths[-1])
    tried: set[int] = set()
    ideal_at: dict[int, int] = {}
    for number, iteration in enumerate(outcome.iterations, start=1):
        assert iteration.number == number
        assert iteration.step == step.value
        objective = next(o for o in question.objectives if o.target == iteration.target)
        ideal = np.sign([float(c) for c in objective.coefficients]).astype(int)
        top, *others = iteration.subproblems
        is_ideal = (ideal != 0) & (top.incumbent == ideal)
        assert (np.flatnonzero(is_ideal) == iteration.ideal).all()
        open_ = np.flatnonzero((ideal != 0) & ~is_ideal & ranges[-1].unstable)
        if step.value == 1:
            open_ = np.setdiff1d(open_, list(tried))
        assert set(iteration.drawn) <= set(open_)
        assert len(set(iteration.drawn)) == min(iteration.step, len(open_)) > 0
        wanted = np.where(is_ideal, ideal, 0)
        wanted[iteration.drawn] = ideal[iteration.drawn]
        assert (top.wanted == wanted).all()
        check_propagation(question, iteration.subproblems)
        assert [s.layer for s in iteration.subproblems] == list(range(len(others), -1, -1))
        assert ideal_at.get(iteration.target, 0) <= len(iteration.ideal)
        ideal_at[iteration.target] = len(iteration.ideal)
        assert iteration.improved == (iteration.objective > best)
        best = max(best, iteration.objective)
        if iteration.improved:
            tried.clear()
        elif step.value == 1:
            tried.update(iteration.drawn.tolist())
        step.after(improved=iteration.improved)
    assert best == outcome.incumbent.objective
    assert step.value == 1


def check_propagation(question: Question, subproblems) -> None:
    """Each answer is what the next problem wants, and an answer is never worse than the start."""
    hidden = question.network.hidden
    for above, below in itertools.pairwise(subproblems):
        layer = hidden[above.layer]
        assert (below.wanted != 0).all()
        fired = layer.fire(below.wanted[None, :], layer.sign_thresholds)[0]
        assert (fired == above.answer).all()
        assert above.turned == (below.wanted != below.incumbent).sum()
    assert all(s.status is Status.OPTIMAL for s in subproblems)
    assert all(s.reached >= s.held for s in subproblems)


def test_seeds_repeat_a_run_exactly():
    question = make_question(5)
    first, again, other = run(question, 7), run(question, 7), run(question, 8)
    assert (first.incumbent.witness == again.incumbent.witness).all()
    assert [p.objective for p in first.trace] == [p.objective for p in again.trace]
    drawn = [[i.drawn.tolist() for i in o.iterations] for o in (first, again, other)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_adaptive_steps_are_halved_after_five_iterations_in_vain_and_never_raised():
    step, seen = StepSize("adaptive", 219), []
    for improved in [True] + [False] * 4 + [True] + [False] * 5 + [True] + [False] * 22:
        step.after(improved=improved)
        seen.append(step.value)
    assert seen == [10] * 10 + [5] * 6 + [2] * 5 + [1] * 13
    assert StepSize("adaptive", 19).value == 1


def test_constant_steps_stay():
    step = StepSize(7, 100)
    for _ in range(20):
        step.after(improved=False)
    assert step.value == 7
    outcome = run(make_question(2), step=1)
    assert {i.step for i in outcome.iterations} == {1}
    assert outcome.status is Status.LOCAL_OPTIMUM


def test_units_without_influence_are_left_alone():
    """Coefficients of 0 belong neither to I* nor to G."""
    question = make_question(1)
    zero = [j for j, c in enumerate(question.objectives[0].coefficients) if c == 0]
    assert zero
    for iteration in run(question).iterations:
        top = iteration.subproblems[0]
        assert (top.wanted[zero] == 0).all()
        assert not set(zero) & {*iteration.ideal.tolist(), *iteration.drawn.tolist()}


def test_it_ends_at_the_first_flip_where_that_is_asked_for():
    flips = [
        outcome
        for seed in range(12)
        if (outcome := run(make_question(seed, "any"), stop="flip")).status is Status.FLIP_FOUND
    ]
    assert flips
    assert all(o.verdict is Verdict.VULNERABLE and o.proof is Proof.NONE for o in flips)
    assert all(o.incumbent.replayed.flipped for o in flips)


def test_any_renews_its_target():
    runs = (run(make_question(seed, "any")) for seed in range(12))
    assert any(len({i.target for i in outcome.iterations}) > 1 for outcome in runs)


def test_a_warm_start_counts_in_the_units_time():
    question = make_question(3)
    warm = {"kind": "pgd", "iterations": 20, "restarts": 3}
    outcome = run(question, warm_start=warm)
    assert 0 < outcome.effort.warm_start_seconds <= outcome.seconds
    cold = run(question)
    assert cold.effort.warm_start_seconds == 0
    assert outcome.trace[0].objective == cold.trace[0].objective == question.clean_objective
    check_final(question, outcome)


def check_final(question: Question, outcome: Outcome) -> None:
    assert outcome.bound is None
    assert outcome.verdict is not Verdict.ROBUST
    assert replay(question, outcome.incumbent.witness).objective == outcome.incumbent.objective


class Limited:
    """Ends the time after some solves; whatever the machine's speed, the search is the same."""

    def __init__(self, solves: int, fails) -> None:
        self.left = solves
        self.fails = fails

    def clock(self) -> float:
        return 0.0 if self.left > 0 else 1e9

    def prepare(self, *, licensed: bool = False) -> None:
        pass

    def solve(self, backend, problem, limits, report) -> Solution:
        self.left -= 1
        return self.fails(self.left) or InProcess().solve(backend, problem, limits, report)


def run_limited(question: Question, solver: Limited) -> Outcome:
    settings = IpropSettings(backend="highs", subproblem_patience="off", record=True)
    search = Search(question, 60.0, 0, solver, complete=False, clock=solver.clock)
    return search.outcome(Iprop(settings).search(search))


def test_a_killed_subproblem_does_not_end_the_unit():
    """Every other solve is killed before it has an answer."""
    question = make_question(3)
    killed = Solution(Status.KILLED, message="killed: the solver ignored its time limit")
    outcome = run_limited(question, Limited(60, lambda left: killed if left % 2 else None))
    statuses = {s.status for i in outcome.iterations for s in i.subproblems}
    assert statuses == {Status.KILLED, Status.OPTIMAL}
    assert outcome.status is Status.TIME_LIMIT
    assert outcome.incumbent.objective > question.clean_objective
    assert all(s.reached >= s.held for i in outcome.iterations for s in i.subproblems)


def test_no_local_optimum_without_subproblems_solved_to_optimality():
    late = Solution(Status.TIME_LIMIT)
    outcome = run_limited(make_question(4), Limited(300, lambda _: late))
    assert outcome.status is Status.TIME_LIMIT
    assert outcome.iterations[-1].step == 1


class NoGurobi:
    def __init__(self) -> None:
        self.asked = 0

    def prepare(self, *, licensed: bool = False) -> None:
        pass

    def solve(self, backend, problem, limits, report) -> Solution:
        if backend.name == "gurobi":
            self.asked += 1
            raise LicenceError("expected a Gurobi licence; got none")
        return InProcess().solve(backend, problem, limits, report)


def test_auto_goes_on_with_highs_where_gurobi_has_no_licence():
    solver = NoGurobi()
    outcome = run(make_question(0), solver=solver, backend="auto")
    assert (outcome.effort.backend, outcome.status) == ("highs", Status.LOCAL_OPTIMUM)
    assert solver.asked == 1, "a licence server may take seconds to say no"
    named = run(make_question(0), solver=NoGurobi(), backend="gurobi")
    assert named.status is Status.LICENCE


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(Domain)), st.booleans())
def test_starts_are_feasible_and_no_worse_than_none(seed, domain, local):
    rng = np.random.default_rng(seed)
    question = random_question(rng, domain, "any", local=local)
    ranges, hidden = interval_ranges(question), question.network.hidden
    clean = question.region.clean_witness
    problem = encode_input(question, ranges[0], rng.integers(-1, 2, size=hidden[0].units))
    check_start(problem, start_input(problem, clean), problem.assignment(clean))
    if len(hidden) > 1:
        layer = hidden[1]
        signs = rng.choice([-1, 1], size=layer.inputs)
        wanted = rng.integers(-1, 2, size=layer.units)
        below = encode_hidden(layer, wanted, signs, rng.random(layer.inputs) < 0.8)
        none = below.assignment(np.zeros(len(below.free), dtype=bool))
        check_start(below, start_hidden(below, rng), none)


def check_start(problem, start: np.ndarray, trivial: np.ndarray) -> None:
    model = problem.model
    assert (model.matrix @ start <= model.rhs + 1e-9).all()
    assert (start >= model.lower).all()
    assert (start <= model.upper).all()
    assert model.objective @ start >= model.objective @ trivial


def test_hidden_starts_gain_more_than_half_of_the_rows_that_are_missing():
    gained = []
    for seed in range(6):
        question = make_question(seed)
        layer = question.network.hidden[2]
        rng = np.random.default_rng(seed)
        signs = rng.choice([-1, 1], size=layer.inputs)
        problem = encode_hidden(layer, rng.choice([-1, 1], size=40), signs, signs == signs)
        start = start_hidden(problem, rng)
        held = problem.rows.hold(np.zeros(25)).sum()
        gained.append(
            (problem.rows.hold(start[:25]).sum() - held) / (len(problem.rows.needs) - held)
        )
    assert np.mean(gained) > 0.5


@pytest.mark.parametrize("domain", list(Domain))
def test_wide_layers_keep_the_limits(domain, nursery):
    """Building and starts take a second or two here, not a minute."""
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(3072, (1000, 1000), 10, 255), nasty=False)
    threat = Threat(parse_epsilon("0.02"), domain)
    question = Question(network, rng.integers(0, 256, size=3072), 255, 0, threat)
    solver = Child(nursery.ready())
    try:
        settings = IpropSettings(time_limit=4.0, subproblem_time_limit=1.0)
        outcome = Iprop(settings).run([Task(question, 0)], solver)[0]
    finally:
        solver.close()
    assert outcome.status is Status.TIME_LIMIT
    assert outcome.seconds < 4 + 10


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_odd_networks_end(seed):
    """One layer, single units, weights or scales of 0, nothing that can change."""
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, "any", local=bool(seed % 2))
    outcome = run(question, step=int(rng.integers(1, 4)), time_limit=0.3)
    assert outcome.status in (Status.LOCAL_OPTIMUM, Status.TIME_LIMIT)
    check_final(question, outcome)
