"""Contradictions between answers to the same question."""

from __future__ import annotations

import pytest
from known_runs import FLIP, ROBUST, make_run, unit

from bnnray.report import compare, make_report


def test_answers_that_agree_do_not_contradict(tmp_path):
    rows = [
        unit(0, attack="a", **FLIP, objective=5.0, bound=5.0),
        unit(1, attack="b", objective=5.0 - 1e-12, bound=8.0),
        unit(2, attack="a", point=1, **ROBUST, objective=-9.0, bound=-2.0),
        unit(3, attack="b", point=1, objective=-2.0 + 1e-12),
        unit(4, attack="a", domain="grid", levels=255, **ROBUST),
    ]
    found = compare(make_run(tmp_path / "job", rows))
    assert (found.common, found.total, found.contradictions) == (3, 0, ())


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (ROBUST, FLIP, "robust against vulnerable"),
        ({"bound": 3.0}, {"objective": 4.0}, "objective above a bound"),
        (
            {"minimize": "linf", "distance_bound": 0.05},
            {**FLIP, "linf": 0.04},
            "flip nearer than a proven linf distance",
        ),
        (
            {"minimize": "l1", "distance_bound": 2.0},
            {**FLIP, "linf": 0.1, "l1": 1.5},
            "flip nearer than a proven l1 distance",
        ),
    ],
)
def test_contradictions_within_a_run_and_between_two(tmp_path, one, other, kind):
    first = unit(0, attack="a", **one)
    second = unit(1, attack="b", **other)
    both = make_run(tmp_path / "both", [first, second])
    a, b = make_run(tmp_path / "a", [first]), make_run(tmp_path / "b", [second])
    for found in (compare(both), compare(a, b), compare(b, a)):
        (contradiction,) = found.contradictions
        assert contradiction.kind == kind
        assert (contradiction.claim.attack, contradiction.witness.attack) == ("a", "b")
        assert kind in str(contradiction)
    assert contradiction.claim.run == "a"
    assert kind in make_report(both).html()


def test_units_of_two_runs_are_paired_by_their_keys(tmp_path):
    a = [unit(n, point=n, seconds=1.0) for n in range(4)]
    b = [unit(n, point=n, seconds=3.0, objective=-10.0 - n) for n in range(3)]
    a[0] |= FLIP
    b[1] |= ROBUST
    found = compare(make_run(tmp_path / "a", a), make_run(tmp_path / "b", b))
    assert (found.runs, found.common, found.only_a, found.only_b) == (("a", "b"), 3, 1, 0)
    (pairs,) = found.pairs
    assert (pairs.units, pairs.decided_in_a, pairs.decided_in_b) == (3, 1, 1)
    assert (pairs.better_in_a, pairs.better_in_b) == (2, 0)
    assert (pairs.seconds_a, pairs.seconds_b) == (1.0, 3.0)
