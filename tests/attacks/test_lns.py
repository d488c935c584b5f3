"""Large-neighbourhood search: never above the truth, better than its start, the same for a seed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from oracle import true_maximum
from tiny import random_question

from bnnray.attacks import Lns, LnsSettings, Pgd, PgdSettings, Task
from bnnray.datasets import load_dataset
from bnnray.errors import UsageError
from bnnray.models import load_model
from bnnray.solvers import InProcess
from bnnray.threat import ANY, Domain, Question, Threat, parse_epsilon, replay
from bnnray.verdicts import Proof, Status, Verdict


def ask(question: Question, seed: int = 0, **settings):
    return Lns(LnsSettings(**settings)).run([Task(question, seed)], InProcess())[0]


@pytest.mark.parametrize("domain", list(Domain))
def test_where_one_neighbourhood_is_everything_the_optimum_is_found(domain):
    found = 0
    for seed in range(200):
        question = random_question(np.random.default_rng(seed), domain)
        if not question.targets:
            continue
        true = true_maximum(question)
        outcome = ask(question, seed, warm_start=None, time_limit=5.0)
        again = replay(question, outcome.incumbent.witness)
        assert again.objective == outcome.incumbent.objective <= true, seed
        assert outcome.verdict is not Verdict.ROBUST
        assert outcome.proof is Proof.NONE
        if question.threat.goal.name != ANY:
            found += outcome.incumbent.objective == true
            assert domain is Domain.BOX or outcome.incumbent.objective == true, seed
        assert outcome.status in (Status.LOCAL_OPTIMUM, Status.TIME_LIMIT)
    assert found > 100


@pytest.fixture(scope="module")
def questions(real_data, networks) -> list[Question]:
    data = load_dataset("mnist", "test", real_data)
    network = load_model(networks / "mnist_5x100.bnn").network
    threat = Threat(parse_epsilon("5/255"), Domain.GRID)
    return [
        Question(network, data.pixels(i), 255, int(data.labels[i]), threat) for i in (0, 2, 3, 4)
    ]


def test_it_improves_on_the_gradients_that_it_starts_from(questions):
    start = PgdSettings(surrogate="reachable-tanh", restarts=2)
    gains = []
    for question in questions:
        before = Pgd(start).run([Task(question, 0)], InProcess())[0]
        after = ask(question, warm_start=start, nodes=300, time_limit=3.0)
        assert replay(question, after.incumbent.witness).objective == after.incumbent.objective
        gains.append(after.incumbent.objective - before.incumbent.objective)
    assert min(gains) >= 0
    assert sum(gains) > Fraction(20)


def test_the_first_flip_ends_it_where_that_is_wanted(questions):
    outcome = ask(questions[3], stop="flip", time_limit=20.0)
    assert outcome.status is Status.FLIP_FOUND
    assert outcome.verdict is Verdict.VULNERABLE


def test_a_limit_of_changed_pixels_is_refused_in_one_line():
    with pytest.raises(UsageError, match='kind = "lns" does not limit'):
        LnsSettings().check_threat(Domain.GRID, 3)
