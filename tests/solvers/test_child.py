"""The child process: what was found survives its death, and limits hold without its help."""

import os
import sys
import time

import numpy as np
import psutil
import pytest
from hostile import MODEL

from bnnray.errors import LicenceError, SetupError
from bnnray.solvers import Child, Limits, Problem, Progress, Scripted, Solution
from bnnray.verdicts import Status

FOUND = Progress(values=np.array([1.0]), objective=3.0, bound=7.0, nodes=5)
NEWS = Progress(values=None, objective=3.0, bound=6.0, nodes=9)


@pytest.fixture
def problem() -> Problem:
    return Problem(MODEL)


@pytest.fixture
def child(nursery):
    runner = Child(nursery.ready())
    yield runner
    runner.close()


def never(_progress) -> bool:
    return False


def test_streams_progress_and_returns_the_ending(child, problem):
    seen = []
    ending = Solution(Status.OPTIMAL, objective=3.0)
    found = child.solve(
        Scripted((FOUND, NEWS), ending), problem, Limits(5), lambda p: bool(seen.append(p))
    )
    assert (found.status, found.objective) == (Status.OPTIMAL, 3.0)
    assert [p.bound for p in seen] == [7.0, 6.0]


def test_the_child_is_kept_between_solves(child, problem):
    child.solve(Scripted(), problem, Limits(5), never)
    first = child._process.pid
    child.solve(Scripted(), problem, Limits(5), never)
    assert child._process.pid == first


def test_a_solver_that_ignores_its_limit_is_killed_and_its_incumbent_kept(child, problem):
    found = child.solve(Scripted((FOUND, NEWS), sleep=60), problem, Limits(0.2), never)
    assert found.status is Status.KILLED
    assert (found.objective, found.bound, found.nodes) == (3.0, 6.0, 9)
    assert found.values.tolist() == [1.0]
    assert "ignored its time limit" in found.message
    assert child.solve(Scripted(), problem, Limits(5), never).status is Status.OPTIMAL


def test_a_flood_of_news_does_not_outlast_the_limit(child, problem):
    began = time.monotonic()
    flood = Scripted((FOUND, *(NEWS,) * 300_000), sleep=60)
    found = child.solve(flood, problem, Limits(0.2), never)
    assert (found.status, found.objective) == (Status.KILLED, 3.0)
    assert time.monotonic() - began < 20


def test_what_the_report_raises_leaves_no_busy_child(child, problem):
    def broken(_progress) -> bool:
        raise ValueError("broken report")

    with pytest.raises(ValueError, match="broken report"):
        child.solve(Scripted((FOUND, NEWS), sleep=60), problem, Limits(60), broken)
    seen = []
    found = child.solve(Scripted(), problem, Limits(5), lambda p: bool(seen.append(p)))
    assert (found.status, seen) == (Status.OPTIMAL, [])


def test_a_child_that_always_dies_is_the_solvers_fault(child, problem):
    found = child.solve(Scripted((FOUND,), exit_code=7), problem, Limits(5), never)
    assert found.status is Status.CRASHED
    assert found.message == "the solver's process ended with exit code 7"
    assert found.objective == 3.0
    assert child.solve(Scripted(), problem, Limits(5), never).status is Status.OPTIMAL


@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_child_killed_from_outside_begins_again(child, problem, deaths):
    """Up to twice, as then nothing of the solve's answer is lost."""
    killed = []

    def kill_it(_progress) -> bool:
        if len(killed) < deaths:
            killed.append(child._process.pid)
            os.kill(child._process.pid, 9)
        return False

    ending = Solution(Status.OPTIMAL, objective=3.0)
    found = child.solve(Scripted((FOUND,), ending, sleep=0.5), problem, Limits(60), kill_it)
    assert len(set(killed)) == deaths
    if deaths < 3:
        assert (found.status, found.message) == (Status.OPTIMAL, "")
    else:
        assert found.status is Status.CRASHED
        assert found.message == "the solver's process was ended by SIGKILL"
        assert found.values.tolist() == [1.0]


def test_a_solve_begun_again_has_only_the_time_that_is_left(child, problem):
    began = time.monotonic()
    slow_death = Scripted((FOUND,), sleep=0.6, exit_code=7)
    assert child.solve(slow_death, problem, Limits(1.0), never).objective == 3.0
    assert time.monotonic() - began < 20


def test_a_child_that_hangs_up_is_ended(child, problem):
    """Its pipe is closed while it runs on."""
    pids = []

    def hang_up(_progress) -> bool:
        pids.append(child._process.pid)
        child._process.connection.close()
        return False

    found = child.solve(Scripted((FOUND,), sleep=60), problem, Limits(30), hang_up)
    assert (found.status, found.objective) == (Status.CRASHED, 3.0)
    assert "the solver's process" in found.message
    assert all(psutil.wait_procs([psutil.Process(p)], 10) for p in pids if psutil.pid_exists(p))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what memory is used")
def test_a_solve_that_outgrows_its_memory_is_killed_and_its_incumbent_kept(nursery, problem):
    child = Child(nursery.ready(), memory=400 * 2**20)
    found = child.solve(
        Scripted((FOUND, NEWS), allocate=2**30, sleep=60), problem, Limits(60), never
    )
    assert (found.status, found.objective, found.bound) == (Status.MEMORY_LIMIT, 3.0, 6.0)
    assert found.message == "killed: the solver took more memory than 400MiB"
    assert child.solve(Scripted(), problem, Limits(5), never).status is Status.OPTIMAL
    child.close()


def test_memory_that_the_system_refuses_is_a_memory_limit(child, problem):
    found = child.solve(Scripted(allocate=2**60), problem, Limits(5), never)
    assert found.status is Status.MEMORY_LIMIT
    assert found.message == "the solver found no more memory"


def test_a_child_that_kept_half_of_its_memory_is_replaced(nursery, problem):
    child = Child(nursery.ready())
    child.solve(Scripted(), problem, Limits(5), never)
    first = child._process.pid
    child._memory = 1.5 * child._process.memory()
    assert child.solve(Scripted(), problem, Limits(5), never).status is Status.OPTIMAL
    assert child._process.pid != first
    child.close()


def test_a_closed_nursery_is_one_line(nursery, problem):
    child = Child(nursery.ready())
    nursery.close()
    with pytest.raises(SetupError, match="a process of a slot did not start"):
        child.prepare()


def test_the_start_of_a_child_is_not_on_the_clock(child, problem):
    """A limit far shorter than an interpreter's start still gives an answer."""
    child.prepare()
    found = child.solve(Scripted(), problem, Limits(0.05), never)
    assert found.status is Status.OPTIMAL


def test_what_cannot_be_sent_is_an_error_all_the_same(child, problem):
    found = Scripted(error=ValueError(lambda: None))
    with pytest.raises(Exception, match="pickle"):
        child.solve(found, problem, Limits(5), never)


def test_an_error_in_the_child_is_raised_here(child, problem):
    with pytest.raises(LicenceError, match="all tokens in use"):
        child.solve(Scripted(error=LicenceError("all tokens in use")), problem, Limits(5), never)
    assert child.solve(Scripted(), problem, Limits(5), never).status is Status.OPTIMAL


def test_a_solve_that_ignores_a_stop_is_killed(child, problem):
    began = time.monotonic()
    found = child.solve(Scripted((FOUND,), sleep=60), problem, Limits(60), lambda _p: True)
    assert found.status is Status.KILLED
    assert time.monotonic() - began < 30
