"""The attack by the exact engine: limits, targets, the box's thin cells."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bnnray.attacks import Exact, ExactSettings, Milp, MilpSettings, Task
from bnnray.datasets import load_dataset
from bnnray.errors import UsageError
from bnnray.models import load_model
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon
from bnnray.verdicts import Proof, Status, Verdict


def ask(question: Question, **settings):
    return Exact(ExactSettings(**settings)).run([Task(question, 0)], InProcess())[0]


@pytest.fixture(scope="module")
def question_of(real_data, networks):
    data = load_dataset("mnist", "test", real_data)

    def make(net: str, point: int, epsilon: str, domain=Domain.GRID, goal="runner-up") -> Question:
        network = load_model(networks / f"mnist_{net}.bnn").network
        threat = Threat(parse_epsilon(epsilon), domain, goal=Goal(goal))
        return Question(network, data.pixels(point), 255, int(data.labels[point]), threat)

    return make


@pytest.mark.parametrize(
    ("net", "epsilon", "domain"),
    [("2x100", "1/255", Domain.GRID), ("5x100", "0.001", "box"), ("2x100", "0.004", "box")],
)
def test_it_agrees_with_milp_on_real_points(question_of, net, epsilon, domain):
    for point in (0, 2, 3, 4, 18):
        question = question_of(net, point, epsilon, Domain(domain))
        exact = ask(question)
        milp = Milp(MilpSettings(time_limit=60.0)).run([Task(question, 0)], InProcess())[0]
        assert (exact.status, exact.proof) == (Status.OPTIMAL, Proof.EXACT)
        assert exact.bound == exact.incumbent.objective == milp.bound, point


def test_flip_or_proof_agrees_with_the_optimum(question_of):
    for point in range(6):
        question = question_of("2x100", point, "3/255")
        optimum, flip = ask(question), ask(question, stop="flip")
        assert optimum.verdict == flip.verdict != Verdict.UNKNOWN
        if flip.verdict is Verdict.ROBUST:
            assert flip.status in (Status.INFEASIBLE, Status.OPTIMAL)
            assert flip.proof is Proof.EXACT


def test_any_is_the_best_of_all_targets(question_of):
    for point in (0, 4):
        every = ask(question_of("2x100", point, "2/255", goal="any"))
        classes = [c for c in range(10) if c != question_of("2x100", point, "0").predicted]
        one = [ask(question_of("2x100", point, "2/255", goal=str(c))) for c in classes]
        assert every.bound == max(o.bound for o in one)
        assert every.incumbent.objective == every.bound


def test_the_node_limit_ends_a_search_and_leaves_a_true_bound(question_of):
    question = question_of("2x100", 2, "2/255")
    short, whole = ask(question, node_limit=100), ask(question)
    assert short.status is Status.NODE_LIMIT
    assert short.effort.nodes == 100 < whole.effort.nodes
    assert short.bound >= whole.bound >= short.incumbent.objective
    assert short.proof is Proof.NONE or short.verdict is Verdict.ROBUST


def test_the_time_limit_ends_a_search_within_a_slice(question_of):
    outcome = ask(question_of("5x100", 2, "12/255"), time_limit=1.0)
    assert outcome.status is Status.TIME_LIMIT
    assert outcome.seconds < 1.5
    assert outcome.bound > outcome.incumbent.objective
    assert len(outcome.trace) > 2


def thin_question(threshold: Fraction) -> Question:
    """One pixel in [0, 1/3] and one unit that fires at a threshold; firing flips."""
    scale = np.array([threshold.denominator], dtype=np.float32)
    shift = np.array([-threshold.numerator], dtype=np.float32)
    weights = np.array([[1]], dtype=np.int8)
    hidden = SignLayer(Dense(weights), scale, shift)
    output = OutputLayer(Dense(np.array([[-1], [1]], dtype=np.int8)))
    threat = Threat(Fraction(1, 3), Domain.BOX, levels=1)
    return Question(Network((1,), (hidden,), output), np.array([0]), 1, 0, threat)


def test_a_cell_of_one_real_input_that_no_double_meets_stays_open():
    outcome = ask(thin_question(Fraction(1, 3)))
    assert outcome.status is Status.ITERATION_LIMIT
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.bound == 2
    assert "too thin" in outcome.message


def test_a_cell_beyond_the_box_is_empty_and_one_within_it_is_found():
    assert ask(thin_question(Fraction(34, 100))).verdict is Verdict.ROBUST
    assert ask(thin_question(Fraction(33, 100))).verdict is Verdict.VULNERABLE


def test_a_limit_of_changed_pixels_is_refused_in_one_line():
    with pytest.raises(UsageError, match='use kind = "milp"'):
        ExactSettings().check_threat(Domain.GRID, 3)
