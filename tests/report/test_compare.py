"""Contradictions between answers to the same question."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


@pytest.mark.parametrize(
    ("claim", "reached", "kind"),
    [
        (ROBUST, {**FLIP, "epsilon": 0.05}, "robust against vulnerable"),
        (ROBUST, {**FLIP, "domain": "grid", "levels": 255}, "robust against vulnerable"),
        (ROBUST, {**FLIP, "epsilon": 0.2, "linf": 0.09}, "robust against vulnerable"),
        (
            {**ROBUST, "domain": "grid", "levels": 255, "epsilon": 2 / 255},
            {**FLIP, "domain": "grid", "levels": 255, "epsilon": 5 / 255, "linf": 2 / 255},
            "robust against vulnerable",
        ),
        ({"bound": -3.0}, {"objective": -2.0, "epsilon": 0.05}, "objective above a bound"),
        ({"bound": -3.0}, {"objective": -2.0, "domain": "grid"}, "objective above a bound"),
    ],
)
def test_what_lies_in_a_smaller_region_lies_in_a_larger_one(tmp_path, claim, reached, kind):
    first, second = unit(0, attack="a", **claim), unit(1, attack="b", **reached)
    first |= {"objective": -10.0} | claim
    runs = make_run(tmp_path / "a", [first]), make_run(tmp_path / "b", [second])
    for found in (compare(make_run(tmp_path / "both", [first, second])), compare(*runs)):
        (contradiction,) = found.contradictions
        assert (contradiction.kind, contradiction.question) == (kind, first["question"])
        assert (contradiction.claim.attack, contradiction.witness.attack) == ("a", "b")
        told = f" at epsilon {second['epsilon']:g}, {second['domain']}"
        assert str(contradiction).endswith(told)


def answers() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of few questions, so that many are about the same region or one within another."""
    bound = st.one_of(st.none(), st.integers(-4, 6).map(float))
    one = st.fixed_dictionaries(
        {
            "epsilon": st.sampled_from([0.1, 0.2, 0.3]),
            "domain": st.sampled_from(["box", "grid"]),
            "family": st.sampled_from(["a", "b"]),
            "objective": st.integers(-6, 6).map(float),
            "bound": bound,
        }
    )
    return st.lists(one, min_size=1, max_size=8)


@given(answers())
@settings(max_examples=40, deadline=None)
def test_every_claim_is_held_against_every_input_of_its_region(found):
    rows = [answer(number, a) for number, a in enumerate(found)]
    expected = {
        row["question"]
        for row in rows
        if row["bound"] is not None
        and max(r["objective"] for r in rows if lies_within(r, row)) > row["bound"]
    }
    with tempfile.TemporaryDirectory() as folder:
        told = compare(make_run(Path(folder) / "job", rows))
    assert {c.question for c in told.contradictions} == expected


def answer(number: int, asked: dict[str, Any]) -> dict[str, Any]:
    """A finished unit; a flip uses its whole budget, and a bound of 0 proves that there is none."""
    flipped = FLIP | {"linf": asked["epsilon"]} if asked["objective"] > 0 else {}
    robust = ROBUST if asked["bound"] is not None and asked["bound"] <= 0 and not flipped else {}
    question = "-".join(str(asked[k]) for k in ("family", "epsilon", "domain"))
    levels = 255 if asked["domain"] == "grid" else None
    more = {"question": question, "levels": levels}
    return unit(number, attack=f"a{number}", **asked, **more, **flipped, **robust)


def lies_within(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    return (
        inner["family"] == outer["family"]
        and inner["epsilon"] <= outer["epsilon"]
        and outer["domain"] in ("box", inner["domain"])
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.2, "linf": 0.1 + 1e-12},
        {"epsilon": 0.2, "linf": 0.2},
        {"point": 1, "epsilon": 0.05},
        {"family": "another mask", "epsilon": 0.05},
        {"family": None, "epsilon": 0.05},
    ],
)
def test_what_may_lie_elsewhere_is_no_contradiction(tmp_path, changes):
    rows = [unit(0, attack="a", **ROBUST), unit(1, attack="b", **{**FLIP, **changes})]
    assert compare(make_run(tmp_path / "job", rows)).total == 0


def test_a_proof_on_the_grid_says_nothing_of_the_box_or_of_another_grid(tmp_path):
    grid = {"domain": "grid", "levels": 255, "question": "grid"}
    finer = {"domain": "grid", "levels": 510, "question": "finer"}
    rows = [
        unit(0, attack="a", **grid, **ROBUST),
        unit(1, attack="b", **FLIP, linf=0.05),
        unit(2, attack="b", **finer, **FLIP, linf=0.05),
    ]
    assert compare(make_run(tmp_path / "job", rows)).total == 0


def test_a_run_from_before_families_is_held_against_one_with_them(tmp_path):
    old, new = unit(0, attack="a", family=None, **ROBUST), unit(1, attack="b", **FLIP)
    found = compare(make_run(tmp_path / "a", [old]), make_run(tmp_path / "b", [new]))
    assert found.total == 1


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
