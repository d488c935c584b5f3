"""PGD: what is promised equal is equal, and limits hold."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.attacks import Pgd, PgdSettings, Task
from bnnray.models.ascent import Ascent, AscentSettings, Point
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Question, Threat, parse_epsilon
from bnnray.verdicts import Status

SIZE = Size(pixels=64, hidden=(33, 17), classes=5, levels=255)


def tasks(domain: Domain, count: int = 9) -> list[Task]:
    rng = np.random.default_rng(5)
    network = random_network(rng, SIZE, nasty=False)
    threat = Threat(parse_epsilon("0.05"), domain)
    images = rng.integers(0, 256, size=(count, SIZE.pixels))
    return [Task(Question(network, i, 255, 0, threat), 100 + n) for n, i in enumerate(images)]


@pytest.mark.parametrize("surrogate", ["hardtanh", "straight-through", "tanh"])
@pytest.mark.parametrize("domain", list(Domain))
def test_a_point_does_not_depend_on_its_batch(domain, surrogate):
    attack = Pgd(PgdSettings(iterations=20, restarts=5, surrogate=surrogate))
    together = attack.run(tasks(domain), InProcess())
    alone = [attack.run([task], InProcess())[0] for task in tasks(domain)]
    pairs = attack.run(tasks(domain)[:2], InProcess())
    for a, b in [*zip(together, alone, strict=True), *zip(pairs, alone[:2], strict=True)]:
        assert (a.incumbent.witness == b.incumbent.witness).all()
        assert [p.objective for p in a.trace] == [p.objective for p in b.trace]


def test_the_seed_decides_the_starts():
    attack = Pgd(PgdSettings(iterations=3, restarts=4))
    first = attack.run(tasks(Domain.BOX), InProcess())
    again = attack.run(tasks(Domain.BOX), InProcess())
    other = attack.run([Task(t.question, t.seed + 1) for t in tasks(Domain.BOX)], InProcess())
    witnesses = [np.stack([o.incumbent.witness for o in run]) for run in (first, again, other)]
    assert (witnesses[0] == witnesses[1]).all()
    assert (witnesses[0] != witnesses[2]).any()


def test_all_iterations_and_the_clean_start():
    ascent = Ascent(
        [Point(t.question, t.seed) for t in tasks(Domain.GRID)],
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


@pytest.mark.parametrize("domain", list(Domain))
def test_it_changes_no_other_and_no_more_pixels_than_allowed(domain):
    """And pixels that it left alone are the clean ones exactly, not their float32 neighbours."""
    mask = frozenset(range(10, 40))
    for locality in ({"mask": mask}, {"max_pixels": 5}, {"mask": mask, "max_pixels": 3}):
        asked = []
        for task in tasks(domain):
            q = task.question
            threat = replace(q.threat, epsilon=parse_epsilon("0.3"), **locality)
            asked.append(Task(Question(q.network, q.pixels, 255, q.label, threat), task.seed))
        found = Pgd(PgdSettings(iterations=30, restarts=6)).run(asked, InProcess())
        assert all(o.message == "" for o in found)
        assert all(o.incumbent.replayed.l0 <= locality.get("max_pixels", 30) for o in found)
        assert any(o.incumbent.objective > o.trace[0].objective for o in found)


def test_random_starts_change_as_many_pixels_as_allowed_and_can():
    task = tasks(Domain.BOX, 1)[0]
    threat = replace(task.question.threat, mask=frozenset([3, 5, 8, 9]), max_pixels=3)
    question = Question(task.question.network, task.question.pixels, 255, 0, threat)
    ascent = Ascent([Point(question, 7)], AscentSettings("hardtanh", 0, restarts=20, step=0.1))
    starts = ascent._starts()[0].numpy()
    changed = starts != starts[0]
    assert (changed.sum(axis=1)[1:] == 3).all()
    assert np.flatnonzero(changed.any(axis=0)).tolist() == [3, 5, 8, 9]
