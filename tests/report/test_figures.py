"""The numbers behind each figure, from rows with known answers, and the drawings of them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from known_runs import FLIP, ROBUST, make_run, unit

from bnnray.attacks import ATTACKS
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.report import make_report
from bnnray.report.campaign import open_campaign
from bnnray.report.figures import FIGURES
from bnnray.report.figures.cactus import cactus
from bnnray.report.figures.curves import FIRST, anytime
from bnnray.report.figures.flip_rates import flip_rates
from bnnray.report.figures.iprop import step_sizes, warm_starts
from bnnray.report.figures.objectives import objectives
from bnnray.report.figures.surrogate import along_pixel, surrogate_scores
from bnnray.report.figures.times import times
from bnnray.report.figures.verdicts import verdicts
from bnnray.report.look import OF_KIND, make_palette
from bnnray.report.panels import MOST, paged, short_epsilon
from bnnray.results import read
from bnnray.threat import Question, Threat, parse_epsilon
from bnnray.verdicts import Verdict


def numbers(run, pages):
    """What a figure's only page shows."""
    (page,) = read(run, lambda tables: pages(open_campaign(run, tables)))
    return page.numbers


def iprop(number: int, name: str, **settings):
    return unit(number, attack=name, kind="iprop", settings=json.dumps(settings | {"name": name}))


def test_flip_rates_count_flips_of_all_points(tmp_path):
    rows = [unit(n, point=n, **(FLIP if n < 3 else {})) for n in range(4)]
    rows += [unit(9, epsilon=0.2, **FLIP)]
    found = numbers(make_run(tmp_path / "job", rows), flip_rates)
    assert [(b.epsilon, b.rate.count, b.rate.total) for b in found.bars] == [
        (0.1, 3, 4),
        (0.2, 1, 1),
    ]
    assert found.groups.epsilons == (0.1, 0.2)


def test_models_and_attacks_stand_in_the_order_of_the_job(tmp_path):
    rows = [unit(0, model="z", attack="z"), unit(1, model="a", attack="b", epsilon=0.01)]
    rows += [unit(2, model="a", attack="z"), unit(3, model="a", attack="b")]
    found = numbers(make_run(tmp_path / "job", rows), flip_rates).groups
    assert (found.models, found.attacks, found.epsilons) == (("z", "a"), ("z", "b"), (0.01, 0.1))
    places = [found.at(e, a) for e in found.epsilons for a in found.attacks]
    assert places == sorted(places)


def test_box_plots_show_quantiles_of_those_that_seek_the_optimum(tmp_path):
    values = [-0.5, -0.25, 0.0, 0.25, 0.5]
    rows = [unit(n, point=n, normalized=v) for n, v in enumerate(values)]
    flip_only = {"attack": "f", "settings": '{"stop": "flip"}', "normalized": 1.0}
    smallest = {"attack": "s", "settings": '{"minimize": "linf"}', "normalized": 1.0}
    rows += [unit(7, **flip_only), unit(8, **smallest)]
    (box,) = numbers(make_run(tmp_path / "job", rows), objectives).boxes
    assert (box.first, box.median, box.third) == (-0.25, 0.0, 0.25)
    assert (box.low, box.high, box.mean, box.points) == pytest.approx((-0.45, 0.45, 0.0, 5))


def test_curves_are_means_of_the_incumbents_at_each_time(tmp_path):
    """One unit steps from -0.2 to 0.4 at 0.1 s, the other from -0.6 to 0.8 at 1 s."""
    rows = [unit(n, point=n, seconds=2.0) for n in range(2)]
    trace = {"0000": [(0.0, -20), (0.1, 40)], "0001": [(0.0, -60), (0.5, -40), (1.0, 80)]}
    run = make_run(tmp_path / "job", rows, trace)
    ((curve,),) = [p.curves for p in numbers(run, anytime).panels]
    assert curve.points == 2
    assert curve.seconds[0] == FIRST
    assert curve.seconds[-1] >= 2.0

    def at(seconds):
        place = max(n for n, s in enumerate(curve.seconds) if s <= seconds * 1.0001)
        return curve.means[place], curve.deviations[place]

    assert at(0.05) == pytest.approx((-0.4, 0.2))
    assert at(0.1) == pytest.approx((-0.1, 0.5))
    assert at(0.7) == pytest.approx((0.0, 0.4))
    assert at(1.9) == pytest.approx((0.6, 0.2))
    assert curve.band[-1] == pytest.approx(1.96 * 0.2 / math.sqrt(2), rel=1e-3)


def test_steps_and_warm_starts_are_compared_where_nothing_else_differs(tmp_path):
    warm = {"kind": "pgd", "time_limit": "5s"}
    rows = [
        iprop(0, "a", step="adaptive", warm_start=None),
        iprop(1, "b", step=5, warm_start=None),
        iprop(2, "c", step="adaptive", warm_start=warm),
        iprop(3, "d", step=7, warm_start=warm, stop="flip"),
    ]
    run = make_run(tmp_path / "job", rows, {r["key"]: [(0.0, -10)] for r in rows})
    labels = [
        [c.label for c in numbers(run, pages).panels[0].curves]
        for pages in (step_sizes, warm_starts)
    ]
    assert labels == [["S = adaptive", "S = 5"], ["no warm start", "pgd for 5s first"]]


def test_a_cactus_counts_decided_units_by_their_seconds(tmp_path):
    rows = [unit(n, point=n, seconds=float(5 - n), **ROBUST) for n in range(4)]
    rows += [unit(9, point=9, seconds=0.1)]
    (line,) = numbers(make_run(tmp_path / "job", rows), cactus).lines
    assert (line.units, line.seconds, line.decided) == (5, (2.0, 3.0, 4.0, 5.0), (1, 2, 3, 4))


def test_a_long_cactus_has_few_corners_and_both_ends(tmp_path):
    rows = [unit(n, point=n, seconds=1.0 + n, **FLIP) for n in range(2000)]
    (line,) = numbers(make_run(tmp_path / "job", rows), cactus).lines
    assert len(line.seconds) < 600
    assert (line.decided[0], line.decided[-1], line.seconds[-1]) == (1, 2000, 2000.0)


def test_times_are_of_the_two_attacks_that_decide_most(tmp_path):
    rows = []
    for point in range(3):
        rows += [unit(10 * point, point=point, attack="a", seconds=1.0, **ROBUST)]
        open_ = {} if point else ROBUST
        rows += [unit(10 * point + 1, point=point, attack="b", seconds=7.0, **open_)]
        rows += [unit(10 * point + 2, point=point, attack="c", seconds=3.0)]
    found = numbers(make_run(tmp_path / "job", rows), times)
    assert (found.first, found.second, found.first_limit) == ("a", "b", 10.0)
    assert sorted((p.verdict, p.first, p.second) for p in found.points) == [
        (Verdict.ROBUST, 1.0, 7.0),
        (Verdict.ROBUST, 1.0, 10.0),
        (Verdict.ROBUST, 1.0, 10.0),
    ]


def test_verdicts_against_epsilon(tmp_path):
    rows = [unit(0, **FLIP), unit(1, point=1, **ROBUST), unit(2, point=2)]
    rows += [unit(3, epsilon=0.2, **FLIP)]
    milp, worst = numbers(make_run(tmp_path / "job", rows), verdicts).panels
    assert (milp.attack, milp.epsilons) == ("milp", (0.1, 0.2))
    assert (milp.vulnerable, milp.robust, milp.unknown) == ((1, 1), (1, 0), (1, 0))
    assert (worst.vulnerable, worst.robust, worst.unknown) == ((1, 1), (1, 0), (1, 0))


def small_network() -> Network:
    """Two pixels; the unit fires where the first is at least 0.5, and class 1 then wins."""
    hidden = SignLayer(
        Dense(np.array([[1, 0]], dtype=np.int8)),
        np.array([4.0], dtype=np.float32),
        np.array([-2.0], dtype=np.float32),
    )
    return Network((2,), (hidden,), OutputLayer(Dense(np.array([[-1], [1]], dtype=np.int8))))


def test_the_surrogate_along_the_pixel_that_matters():
    threat = Threat(parse_epsilon("0.1"))
    question = Question(small_network(), np.array([0, 4]), 8, 0, threat)
    found = along_pixel(question, "net", 7)
    assert (found.pixel, found.target, found.attacked, found.clean) == (0, 1, 0, 0.0)
    assert found.values == tuple(n / 8 for n in range(9))
    assert found.true == (-2.0,) * 4 + (2.0,) * 5
    assert found.smooth == (-2.0, -2.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0, 2.0)
    assert surrogate_scores(small_network(), np.array([[0.5, 1.0]])).tolist() == [[0.0, 0.0]]


def test_looks_are_told_apart():
    kinds = [*OF_KIND, "iprop", "iprop", "a kind of one's own"] * 2
    palette = make_palette({f"attack {n}": kind for n, kind in enumerate(kinds)})
    assert len({(k.colour, k.line) for k in palette.values()}) == 20
    assert len({k.colour for k in list(palette.values())[:8]}) == 8


def test_every_kind_of_attack_has_a_colour_of_its_own():
    assert set(OF_KIND) == set(ATTACKS)
    assert len(set(OF_KIND.values())) == len(OF_KIND)


@pytest.mark.parametrize("kind", sorted(OF_KIND))
def test_the_first_attack_of_a_kind_looks_the_same_in_every_run(kind):
    others = {f"some {other}": other for other in [*OF_KIND, "iprop"] if other != kind}
    alone = make_palette({"mine": kind})["mine"]
    assert alone.colour == OF_KIND[kind]
    assert make_palette({**others, "mine": kind, "another": kind})["mine"] == alone
    assert make_palette({"mine": kind, **others})["mine"] == alone


@pytest.mark.parametrize(
    ("epsilon", "text"),
    [(0.01, "0.01"), (2 / 255, "2/255"), (8 / 255, "8/255"), (0.2, "0.2"), (1.0, "1"), (0, "0")],
)
def test_epsilons_are_short(epsilon, text):
    assert short_epsilon(epsilon) == text


def test_many_panels_are_paged():
    assert [len(page) for page in paged(range(2 * MOST + 1))] == [MOST, MOST, 1]


def test_every_figure_without_images_is_drawn_and_fonts_are_embedded(tmp_path):
    """Names that mean something to matplotlib's typesetting are shown as they are."""
    rows, traces = [], {}
    for number in range(24):
        one, other = divmod(number, 2)
        name = ("$a_b$", "b^{")[other]
        kind = {"attack": name, "kind": "iprop", "settings": json.dumps({"step": other})}
        known = FLIP if one % 2 else ROBUST if other else {}
        rows.append(unit(number, point=one % 4, epsilon=0.01 * (1 + one // 4), **kind, **known))
        traces[rows[-1]["key"]] = [(0.0, -50), (0.5, 10 * other)]
    report = make_report(make_run(tmp_path / "job", rows, traces))
    needing_more = {"warm_starts", "surrogate", "gallery"}
    assert {kind.name for kind in report.missing} == needing_more
    assert {d.name for d in report.drawings} == {k.name for k in FIGURES} - needing_more
    written = report.write_figures(tmp_path / "figures")
    assert len(written) == 2 * len(report.drawings)
    for path in written:
        content = path.read_bytes()
        assert content.startswith({".pdf": b"%PDF", ".png": b"\x89PNG"}[path.suffix])
        assert path.suffix == ".png" or b"/FontFile2" in content
        assert b"/Type3" not in content
    svg = report.drawings[0].save("svg")
    assert svg == report.drawings[0].save("svg")
    assert 3.2 * 72 < float(re.search(rb'width="([\d.]+)pt"', svg)[1]) < 6.95 * 72


def test_a_run_without_rows_has_no_figures(tmp_path):
    report = make_report(make_run(tmp_path / "job", []))
    assert report.drawings == ()
    assert len(report.missing) == len(FIGURES)
