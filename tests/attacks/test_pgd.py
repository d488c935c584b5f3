"""PGD: what is promised equal is equal, and limits hold."""

from dataclasses import replace
from itertools import islice
from typing import get_args

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.attacks import Pgd, PgdSettings, Task
from bnnray.attacks.pgd import SurrogateName
from bnnray.encodings import interval_ranges
from bnnray.models.ascent import CLIMBERS, Ascent, AscentSettings, Point
from bnnray.models.ascent.budget import Budget
from bnnray.models.ascent.draws import Draws
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon
from bnnray.verdicts import Status

SIZE = Size(pixels=64, hidden=(33, 17), classes=5, levels=255)
SURROGATES = get_args(SurrogateName)


def tasks(
    domain: Domain, count: int = 9, goal: str = "runner-up", *, nasty: bool = False
) -> list[Task]:
    """Questions on one network; a nasty one has weights of 0, odd scales and affine scores."""
    rng = np.random.default_rng(5)
    network = random_network(rng, SIZE, nasty=nasty)
    threat = Threat(parse_epsilon("0.05"), domain, goal=Goal(goal))
    images = rng.integers(0, 256, size=(count, SIZE.pixels))
    return [Task(Question(network, i, 255, 0, threat), 100 + n) for n, i in enumerate(images)]


def point(task: Task) -> Point:
    return Point(task.question, task.seed, interval_ranges(task.question))


def test_every_surrogate_can_be_asked_for():
    assert set(SURROGATES) == set(CLIMBERS)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("domain", list(Domain))
def test_a_point_does_not_depend_on_its_batch(domain, surrogate):
    attack = Pgd(PgdSettings(iterations=20, restarts=5, surrogate=surrogate))
    together = attack.run(tasks(domain), InProcess())
    alone = [attack.run([task], InProcess())[0] for task in tasks(domain)]
    pairs = attack.run(tasks(domain)[:2], InProcess())
    for a, b in [*zip(together, alone, strict=True), *zip(pairs, alone[:2], strict=True)]:
        assert (a.incumbent.witness == b.incumbent.witness).all()
        assert [p.objective for p in a.trace] == [p.objective for p in b.trace]


@pytest.mark.parametrize("locality", [{}, {"mask": frozenset(range(9, 60))}, {"max_pixels": 5}])
@pytest.mark.parametrize("domain", list(Domain))
def test_nor_where_scores_are_affine_and_any_class_will_do(domain, locality):
    asked = [
        Task(Question(q.network, q.pixels, 255, 0, replace(q.threat, **locality)), task.seed)
        for task in tasks(domain, 5, "any", nasty=True)
        for q in [task.question]
    ]
    attack = Pgd(PgdSettings(iterations=10, restarts=4, surrogate="reachable-tanh"))
    alone = [attack.run([task], InProcess())[0] for task in asked]
    for a, b in zip(attack.run(asked, InProcess()), alone, strict=True):
        assert (a.incumbent.witness == b.incumbent.witness).all()
        assert [p.objective for p in a.trace] == [p.objective for p in b.trace]


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_seed_decides_the_starts(surrogate):
    attack = Pgd(PgdSettings(iterations=3, restarts=4, surrogate=surrogate))
    first = attack.run(tasks(Domain.BOX), InProcess())
    again = attack.run(tasks(Domain.BOX), InProcess())
    other = attack.run([Task(t.question, t.seed + 1) for t in tasks(Domain.BOX)], InProcess())
    witnesses = [np.stack([o.incumbent.witness for o in run]) for run in (first, again, other)]
    assert (witnesses[0] == witnesses[1]).all()
    assert (witnesses[0] != witnesses[2]).any()


def test_all_iterations_and_the_clean_start():
    ascent = Ascent(
        [point(t) for t in tasks(Domain.GRID)],
        AscentSettings("hardtanh", iterations=4, restarts=1, step=0.1),
    )
    iterates = list(ascent.run())
    assert [i.number for i in iterates] == [0, 1, 2, 3, 4]
    clean = [float(t.question.clean_objective) for t in tasks(Domain.GRID)]
    assert iterates[0].objectives == pytest.approx(clean)


def test_it_climbs():
    """More restarts and steps flip more, and the best never falls."""
    few = Pgd(PgdSettings(iterations=1, restarts=1)).run(tasks(Domain.BOX, 30), InProcess())
    many = Pgd(PgdSettings(iterations=50, restarts=8)).run(tasks(Domain.BOX, 30), InProcess())
    assert sum(o.incumbent.objective for o in many) > sum(o.incumbent.objective for o in few)


def test_stops_at_the_first_flip_and_at_the_time_limit():
    flips = Pgd(PgdSettings(stop="flip", iterations=50)).run(tasks(Domain.BOX, 30), InProcess())
    ended = [o for o in flips if o.status is Status.FLIP_FOUND]
    assert ended
    assert all(o.incumbent.replayed.flipped for o in ended)
    hasty = Pgd(PgdSettings(time_limit=1e-3, iterations=10**6)).run(tasks(Domain.BOX), InProcess())
    assert all(o.status is Status.TIME_LIMIT for o in hasty)


def climb(
    points: list[Task],
    rounds: int,
    *,
    repeat: bool,
    restarts: int = 3,
    surrogate: str = "hardtanh",
) -> list[np.ndarray]:
    """The witnesses (points, pixels) of each iterate, of that many rounds of 4 steps."""
    ascent = Ascent(
        [point(t) for t in points],
        AscentSettings(surrogate, iterations=4, restarts=restarts, step=0.1, repeat=repeat),
    )
    taken = list(islice(ascent.run(), rounds * 5))
    assert [i.number for i in taken] == [4 * r + n for r in range(rounds) for n in range(5)]
    return [np.stack([i.witness(n) for n in range(len(points))]) for i in taken]


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_repeat_goes_on_where_the_first_round_ends(surrogate):
    once = climb(tasks(Domain.BOX), 1, repeat=False, surrogate=surrogate)
    rounds = climb(tasks(Domain.BOX), 3, repeat=True, surrogate=surrogate)
    assert all((a == b).all() for a, b in zip(once, rounds, strict=False))
    starts = np.stack(rounds[::5])
    assert (starts[1] != starts[2]).any(axis=1).all()
    alone = climb(tasks(Domain.BOX)[4:5], 3, repeat=True, surrogate=surrogate)
    assert all((a[0] == b[4]).all() for a, b in zip(alone, rounds, strict=True))


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_a_point_that_ended_leaves_the_others_as_they_are(surrogate):
    """Some points flip and leave the batch; the others take the steps that they take alone."""
    attack = Pgd(PgdSettings(iterations=20, restarts=3, stop="flip", surrogate=surrogate))
    together = attack.run(tasks(Domain.BOX, 30), InProcess())
    alone = [attack.run([task], InProcess())[0] for task in tasks(Domain.BOX, 30)]
    assert {o.status for o in together} == {Status.FLIP_FOUND, Status.ITERATION_LIMIT}
    for a, b in zip(together, alone, strict=True):
        assert (a.incumbent.witness == b.incumbent.witness).all()
        assert (a.status, a.effort.iterations) == (b.status, b.effort.iterations)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_only_the_first_round_starts_from_the_clean_input(surrogate):
    rounds = climb(tasks(Domain.BOX), 2, repeat=True, restarts=1, surrogate=surrogate)
    clean = np.stack([t.question.region.float_clean for t in tasks(Domain.BOX)])
    assert rounds[0] == pytest.approx(clean)
    assert (np.abs(rounds[5] - clean).max(axis=1) > 0.04).all()


@pytest.mark.parametrize("count", [1, 9])
def test_repeat_ends_at_the_time_limit_and_keeps_the_best(count):
    settings = {"iterations": 4, "restarts": 2}
    once = Pgd(PgdSettings(**settings)).run(tasks(Domain.BOX, count), InProcess())
    long = Pgd(PgdSettings(**settings, repeat=True, time_limit=0.5)).run(
        tasks(Domain.BOX, count), InProcess()
    )
    for a, b in zip(once, long, strict=True):
        assert (a.status, b.status) == (Status.ITERATION_LIMIT, Status.TIME_LIMIT)
        assert b.effort.iterations > a.effort.iterations == 4
        assert 0.5 <= b.seconds < 1.5
        assert b.incumbent.objective >= a.incumbent.objective


def test_repeat_ends_at_the_first_flip_where_that_is_asked_for():
    attack = Pgd(PgdSettings(iterations=3, restarts=1, repeat=True, stop="flip", time_limit=2.0))
    found = attack.run(tasks(Domain.BOX, 30), InProcess())
    flips = [o for o in found if o.status is Status.FLIP_FOUND]
    assert any(o.effort.iterations > 3 for o in flips)
    assert all(o.incumbent.replayed.flipped and o.seconds < 2 for o in flips)
    assert all(o.status is Status.TIME_LIMIT for o in found if o not in flips)


@pytest.mark.parametrize("surrogate", ["hardtanh", "reachable-tanh"])
@pytest.mark.parametrize("domain", list(Domain))
def test_it_changes_no_other_and_no_more_pixels_than_allowed(domain, surrogate):
    """And pixels that it left alone are the clean ones exactly, not their float32 neighbours."""
    mask = frozenset(range(10, 40))
    for locality in ({"mask": mask}, {"max_pixels": 5}, {"mask": mask, "max_pixels": 3}):
        asked = []
        for task in tasks(domain):
            q = task.question
            threat = replace(q.threat, epsilon=parse_epsilon("0.3"), **locality)
            asked.append(Task(Question(q.network, q.pixels, 255, q.label, threat), task.seed))
        attack = Pgd(PgdSettings(iterations=30, restarts=6, surrogate=surrogate))
        found = attack.run(asked, InProcess())
        assert all(o.message == "" for o in found)
        assert all(o.incumbent.replayed.l0 <= locality.get("max_pixels", 30) for o in found)
        assert any(o.incumbent.objective > o.trace[0].objective for o in found)


def test_random_starts_change_as_many_pixels_as_allowed_and_can():
    task = tasks(Domain.BOX, 1)[0]
    threat = replace(task.question.threat, mask=frozenset([3, 5, 8, 9]), max_pixels=3)
    question = Question(task.question.network, task.question.pixels, 255, 0, threat)
    budget = Budget([question], "cpu")
    starts = budget.starts(Draws([7], restarts=20, device="cpu"))
    changed = starts[0].numpy() != budget.clean[0].numpy()
    assert (changed.sum(axis=1) == 3).all()
    assert np.flatnonzero(changed.any(axis=0)).tolist() == [3, 5, 8, 9]
