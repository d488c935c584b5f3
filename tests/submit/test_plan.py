"""The plan: bounds of a job's cost."""

from __future__ import annotations

import pytest

from bnnray.errors import SiteError
from bnnray.job import load_job
from bnnray.submit.plan import make_plan
from bnnray.submit.shipped import SHIPPED
from bnnray.submit.sites import Site
from bnnray.submit.times import parse_time


def quickstart(*overrides: str):
    return load_job(SHIPPED / "jobs" / "quickstart.toml", overrides).job


def test_cutoffs_are_added_up_over_units_and_dealt_out_over_slots():
    plan = make_plan(quickstart(), Site(nodes=3, cores=2))
    assert (plan.units, plan.nodes, plan.slots) == (120, 3, 6)
    assert plan.cpu_seconds == 60 * (5 + 3)
    assert plan.wall_seconds == 60 * (5 + 3) / 6 + 5


def test_a_slot_takes_the_cores_of_a_search():
    plan = make_plan(
        quickstart("resources.cpus_per_solve=3", "data.points=[4,7]"), Site(nodes=2, cores=7)
    )
    assert (plan.units, plan.slots) == (12, 4)
    assert plan.cpu_seconds == 3 * 6 * (5 + 3)


@pytest.mark.parametrize(
    ("of_job", "of_site", "tokens"),
    [("3", 2, 3), ("unlimited", 2, 2), ("3", "unlimited", 3), ("unlimited", "unlimited", None)],
)
def test_a_job_s_number_of_licences_comes_before_the_site_s(of_job, of_site, tokens):
    job = quickstart(f"resources.gurobi_tokens={of_job}")
    assert make_plan(job, Site(gurobi_tokens=of_site)).tokens == tokens


@pytest.mark.parametrize(("tokens", "together"), [(2, 2), (6, 6), (9, 6), ("unlimited", 6)])
def test_units_that_need_a_licence_are_dealt_out_over_the_licences(tokens, together):
    plan = make_plan(quickstart(), Site(nodes=3, cores=2, gurobi_tokens=tokens))
    assert (plan.units, plan.licensed_units) == (120, 60)
    assert plan.wall_seconds == 60 * 5 / 6 + 60 * 3 / together + 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cores": 2}, "a search takes 3 cores"),
        ({"cores": 3, "min_nodes": 2}, "min_nodes: expected at most the 1 nodes"),
        ({"cores": 3, "time": "2", "drain": "2min"}, "2 leaves no time to work"),
    ],
)
def test_what_cannot_work_is_refused(values, message):
    with pytest.raises(SiteError, match=message):
        make_plan(quickstart("resources.cpus_per_solve=3"), Site(**values))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("30:10", 1810),
        ("12:00:00", 43200),
        ("1:02:03", 3723),
        ("2-3", 2 * 86400 + 3 * 3600),
        ("1-0:30", 86400 + 1800),
        ("0-1:02:03", 3723),
    ],
)
def test_times_are_read_as_slurm_does(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "1h", "1:2:3:4", "-1", "1-", "1-2:3:4:5", "UNLIMITED"])
def test_other_times_are_refused(text):
    with pytest.raises(ValueError, match="expected a time limit as Slurm writes it"):
        parse_time(text)
