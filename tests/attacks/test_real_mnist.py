"""Real MNIST points on a trained network: unrelated solvers agree, and replay agrees with both."""

from typing import get_args

import pytest

from bnnray.attacks import Iprop, IpropSettings, Milp, MilpSettings, Pgd, PgdSettings, Task
from bnnray.attacks.pgd import SurrogateName
from bnnray.datasets import load_dataset
from bnnray.models import load_model
from bnnray.solvers import BACKENDS, Child, InProcess
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon, replay
from bnnray.verdicts import Proof, Replay, Status, Verdict

POINTS = [0, 3, 4, 8, 18]


@pytest.fixture(scope="module")
def question_of(real_data, networks):
    data = load_dataset("mnist", "test", real_data)

    def make(
        net: str, point: int, epsilon: str, domain: Domain, goal: str = "runner-up"
    ) -> Question:
        network = load_model(networks / f"mnist_{net}.bnn").network
        threat = Threat(parse_epsilon(epsilon), domain, goal=Goal(goal))
        return Question(network, data.pixels(point), 255, int(data.labels[point]), threat)

    return make


@pytest.mark.parametrize(
    ("net", "domain", "epsilon"),
    [
        ("2x100", Domain.GRID, "1/255"),
        ("2x100", Domain.BOX, "0.003"),
        ("5x100", Domain.BOX, "0.001"),
    ],
)
def test_both_back_ends_prove_the_same_optimum(question_of, net, domain, epsilon):
    for point in POINTS:
        question = question_of(net, point, epsilon, domain)
        found = {
            name: Milp(MilpSettings(backend=name)).run([Task(question, 0)], InProcess())[0]
            for name in BACKENDS
        }
        for name, outcome in found.items():
            assert (outcome.status, outcome.replay) == (Status.OPTIMAL, Replay.OK), (point, name)
            assert outcome.incumbent.objective == outcome.bound, (point, name)
            assert outcome.proof in (Proof.EXACT, Proof.SOLVER)
        assert len({o.bound for o in found.values()}) == 1, point
        pgd = Pgd(PgdSettings(surrogate="tanh")).run([Task(question, 0)], InProcess())[0]
        assert pgd.incumbent.objective <= found["highs"].bound, point


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_the_papers_form_agrees_with_the_tight_one(question_of, name):
    question = question_of("2x100", 0, "0.005", Domain.BOX)
    tight, paper = (
        Milp(MilpSettings(backend=name, formulation=form, time_limit=20.0)).run(
            [Task(question, 0)], InProcess()
        )[0]
        for form in ("tight", "paper")
    )
    assert tight.bound == tight.incumbent.objective
    assert paper.incumbent.objective <= tight.bound <= paper.bound
    assert paper.status in (Status.OPTIMAL, Status.BAD_WITNESS, Status.TIME_LIMIT)
    if paper.status is not Status.TIME_LIMIT:
        assert paper.claimed == paper.bound == tight.bound


def test_the_reachable_tanh_finds_what_other_surrogates_miss_in_as_many_steps(question_of):
    """Of the first 12 images, all of which the network gets right."""
    tasks = [Task(question_of("2x100", n, "5/255", Domain.GRID), n) for n in range(12)]
    flips, objectives = {}, {}
    for surrogate in get_args(SurrogateName):
        found = Pgd(PgdSettings(surrogate=surrogate, iterations=100)).run(tasks, InProcess())
        flips[surrogate] = {n for n, o in enumerate(found) if o.verdict is Verdict.VULNERABLE}
        objectives[surrogate] = sum(o.incumbent.objective for o in found)
    best, best_objective = flips.pop("reachable-tanh"), objectives.pop("reachable-tanh")
    assert all(best > others for others in flips.values())
    assert all(best_objective > 50 + others for others in objectives.values())


@pytest.mark.parametrize("net", ["2x100", "5x100"])
def test_a_flip_found_by_pgd_is_replayed_to_the_last_pixel(question_of, net):
    flips = 0
    for point in POINTS:
        question = question_of(net, point, "0.1", Domain.BOX, "any")
        outcome = Pgd(PgdSettings(surrogate="tanh")).run([Task(question, 0)], InProcess())[0]
        again = replay(question, outcome.incumbent.witness)
        assert again.objective == outcome.incumbent.objective
        assert again.linf <= 0.1
        if outcome.verdict is Verdict.VULNERABLE:
            flips += 1
            assert again.adversarial_class != question.predicted
    assert flips


@pytest.mark.parametrize(
    ("name", "domain", "epsilon"),
    [("highs", Domain.GRID, "1/255"), ("gurobi", Domain.BOX, "0.005")],
)
def test_iprop_ends_in_local_optima_below_the_proven_ones(
    question_of, nursery, domain, epsilon, name
):
    """The solver runs in a child process, as in a slot."""
    solver = Child(nursery.ready())
    settings = IpropSettings(backend=name, subproblem_patience="off")
    try:
        for point in (0, 8):
            question = question_of("2x100", point, epsilon, domain)
            found = Iprop(settings).run([Task(question, 0)], solver)[0]
            best = Milp(MilpSettings(backend="gurobi")).run([Task(question, 0)], solver)[0]
            assert found.status is Status.LOCAL_OPTIMUM, found.message
            assert question.clean_objective < found.incumbent.objective <= best.bound
            again = replay(question, found.incumbent.witness)
            assert again.objective == found.incumbent.objective
    finally:
        solver.close()


def test_iprop_on_a_deep_network_keeps_its_limits(question_of, nursery):
    question = question_of("5x100", 0, "5/255", Domain.BOX)
    settings = IpropSettings(time_limit=6.0, subproblem_time_limit=0.5, record=True)
    solver = Child(nursery.ready())
    try:
        outcome = Iprop(settings).run([Task(question, 0)], solver)[0]
    finally:
        solver.close()
    assert outcome.status is Status.TIME_LIMIT
    assert outcome.incumbent.objective > question.clean_objective
    layers = [[s.layer for s in i.subproblems] for i in outcome.iterations]
    assert layers
    assert all(down == [4, 3, 2, 1, 0] for down in layers)
