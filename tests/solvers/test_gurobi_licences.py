"""Gurobi's licence: what refusals mean, and how long a child holds one."""

from __future__ import annotations

import gurobipy
import numpy as np
import pytest
from hostile import MODEL
from licence_files import licence_file

from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken, LicenceWait
from bnnray.solvers import Child, Gurobi, LicenceUse, Limits, Problem, check_licence
from bnnray.solvers import child as child_module
from bnnray.solvers.gurobi import licence_error
from bnnray.verdicts import Status

__all__ = ["licence_file"]

CODE = gurobipy.GRB.Error


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (CODE.NO_LICENSE, "Request denied: use limit (1) exceeded"),
        (CODE.NO_LICENSE, "Too many sessions"),
        (10030, "Overage for too long, 4 active sessions and over the baseline for 34 minutes"),
        (CODE.JOB_REJECTED, "Job queue timeout"),
    ],
)
def test_what_servers_say_where_all_is_in_use_may_pass(code, says):
    refusal = licence_error(gurobipy.GurobiError(code, says), None)
    assert type(refusal) is LicenceTaken
    assert str(refusal) == f"all Gurobi licences are in use; Gurobi says: {says}"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (CODE.NO_LICENSE, "Request denied: user 'me' not in authorized user list"),
        (CODE.NO_LICENSE, "Request denied: license not valid for Gurobi version 13"),
        (CODE.NO_LICENSE, "License expired 2020-01-01"),
    ],
)
def test_other_refusals_do_not(code, says):
    assert type(licence_error(gurobipy.GurobiError(code, says), None)) is LicenceError


def test_what_is_not_about_a_licence_is_left_alone():
    assert licence_error(gurobipy.GurobiError(CODE.OUT_OF_MEMORY, "Out of memory"), None) is None


def test_gurobi_itself_refuses_in_these_ways(licence_file):
    check_licence()
    licence_file.away()
    with pytest.raises(LicenceServerAway, match="expected an answer of Gurobi's licence server"):
        check_licence()
    licence_file.expired()
    with pytest.raises(LicenceError, match="License expired") as raised:
        check_licence()
    assert not isinstance(raised.value, LicenceTaken)


@pytest.fixture
def child(licence_file, nursery, request):
    found = Child(nursery.ready(), licence=LicenceUse(**request.param))
    yield found
    found.close()


def solved(child: Child) -> Status:
    return child.solve(Gurobi(), Problem(MODEL, np.ones(1)), Limits(20), lambda _: False).status


@pytest.mark.parametrize("child", [{"keep": False, "wait": True}], indirect=True)
def test_a_licence_is_held_from_before_the_search_until_it_is_given_back(child, licence_file):
    child.prepare(licensed=True)
    process = child._process.pid
    licence_file.away()
    assert solved(child) is Status.OPTIMAL
    child.release()
    with pytest.raises(LicenceWait, match="expected an answer"):
        child.prepare(licensed=True)
    with pytest.raises(LicenceWait, match="expected an answer"):
        solved(child)
    child.prepare()
    licence_file.valid()
    child.prepare(licensed=True)
    assert solved(child) is Status.OPTIMAL
    assert child._process.pid == process, "it was told, and not killed"


@pytest.mark.parametrize("child", [{"keep": True, "wait": True}], indirect=True)
def test_where_licences_are_not_counted_the_environment_is_kept(child, licence_file):
    child.prepare(licensed=True)
    child.release()
    licence_file.away()
    child.prepare(licensed=True)
    assert solved(child) is Status.OPTIMAL


@pytest.mark.parametrize("child", [{"keep": False, "wait": True}], indirect=True)
def test_a_licence_that_is_refused_for_good_is_the_search_s_to_meet(child, licence_file):
    licence_file.expired()
    child.prepare(licensed=True)
    with pytest.raises(LicenceError, match="License expired"):
        solved(child)


@pytest.mark.parametrize("child", [{"wait": False}], indirect=True)
def test_where_nobody_waits_the_search_meets_every_refusal(child, licence_file):
    licence_file.away()
    child.prepare(licensed=True)
    with pytest.raises(LicenceServerAway):
        solved(child)


@pytest.mark.parametrize("child", [{"keep": False, "wait": True}], indirect=True)
def test_a_server_that_says_nothing_is_not_waited_for_in_the_slot(child, monkeypatch):
    monkeypatch.setattr(child_module, "BEGIN_SECONDS", 0.0)
    with pytest.raises(LicenceWait, match="silent for 0 s"):
        child.prepare(licensed=True)
    assert child._process is None
    assert solved(child) is Status.OPTIMAL
