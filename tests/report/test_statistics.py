"""The numbers that papers print, from rows with known answers."""

import pytest
from known_runs import FLIP, ROBUST, make_run, unit

from bnnray.report import WORST_CASE, statistics


@pytest.fixture
def rows():
    """Two attacks on six points: of the second, point 2 is misclassified."""
    found = []
    milp = [
        {**FLIP, "seconds": 2.0},
        {**ROBUST, "seconds": 4.0},
        {**FLIP, "seconds": 1.0, "correct": False},
        {"seconds": 10.0},
        {"status": "crashed", "seconds": 0.0},
        {"status": "skipped", "seconds": 0.0},
    ]
    pgd = [{}, {}, {}, {**FLIP, "seconds": 0.5}, {"status": "iteration_limit"}, {}]
    for point, (one, other) in enumerate(zip(milp, pgd, strict=True)):
        skipped = {"status": "skipped"} if point == 5 else {}
        wrong = {"correct": False} if point == 2 else {}
        found.append(unit(point, point=point, **one))
        pgd_row = {"attack": "pgd", "kind": "pgd", **other, **skipped, **wrong}
        found.append(unit(10 + point, point=point, **pgd_row))
    return found


def test_counts_rates_and_seconds(tmp_path, rows):
    ((scope, (milp, pgd, worst)),) = statistics(make_run(tmp_path / "job", rows)).items()
    assert scope.title == "mnist, box, goal: runner-up"
    assert (milp.attack, pgd.attack, worst.attack) == ("milp", "pgd", WORST_CASE)
    assert (milp.points, milp.correct, milp.vulnerable, milp.robust) == (5, 4, 2, 1)
    assert (milp.unknown, milp.ran_out, milp.failed, milp.proven) == (2, 1, 1, 1)
    assert milp.flip_rate.percent == pytest.approx(40)
    assert milp.flip_rate_of_correct.percent == pytest.approx(25)
    assert milp.robust_accuracy.percent == pytest.approx(60)
    assert milp.verified_accuracy.percent == pytest.approx(20)
    assert milp.gap.percent == pytest.approx(40)
    assert milp.mean_seconds == pytest.approx(17 / 5)
    assert milp.mean_seconds_without == pytest.approx(7 / 4)
    assert milp.mean_vulnerable_seconds == pytest.approx(1.5)
    assert milp.mean_robust_seconds == pytest.approx(4.0)
    assert milp.median_seconds == pytest.approx(2.0)
    assert milp.par2 == pytest.approx((2 + 4 + 1 + 20 + 20) / 5)
    assert pgd.mean_robust_seconds is None


def test_the_worst_case_takes_any_flip_and_any_proof(tmp_path, rows):
    ((_, found),) = statistics(make_run(tmp_path / "job", rows)).items()
    worst = found[-1]
    assert worst.is_worst_case
    assert (worst.points, worst.correct, worst.vulnerable, worst.robust) == (5, 4, 3, 1)
    assert (worst.vulnerable_correct, worst.ran_out, worst.failed) == (2, 0, 0)
    assert worst.robust_accuracy.percent == pytest.approx(40)
    assert worst.verified_accuracy.percent == pytest.approx(20)
    assert worst.par2 == pytest.approx((2 + 4 + 1 + 0.5 + 20) / 5)


def test_box_and_grid_are_never_pooled(tmp_path):
    grid = {"domain": "grid", "levels": 255}
    rows = [unit(0, **FLIP), unit(1, **grid), unit(2, point=1, **grid)]
    found = statistics(make_run(tmp_path / "job", rows))
    assert [s.title for s in found] == [
        "mnist, box, goal: runner-up",
        "mnist, grid of 255 levels, goal: runner-up",
    ]
    assert [[r.points for r in rows] for rows in found.values()] == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("goal", "any"),
        ("against", "label"),
        ("tie", "flip"),
        ("max_pixels", 3),
        ("mask_pixels", 9),
        ("dataset", "mnist[3,8]"),
        ("split", "train"),
        ("levels", 16),
    ],
)
def test_what_differs_in_the_threat_is_apart(tmp_path, column, value):
    found = statistics(make_run(tmp_path / "job", [unit(0), unit(1, **{column: value})]))
    assert len(found) == 2
    assert len({scope.title for scope in found}) == 2


def test_a_run_without_rows_has_none(tmp_path):
    assert statistics(make_run(tmp_path / "job", [])) == {}
