"""Pictures of witnesses, and what is shown and exported of them, from a run on real digits."""

from __future__ import annotations

import numpy as np
import pytest

import bnnray
from bnnray.datasets import load_dataset
from bnnray.errors import UsageError
from bnnray.job import load_job
from bnnray.models import load_model
from bnnray.report import (
    draw_pictures,
    export_csv,
    export_npz,
    make_picture,
    make_report,
    picture_png,
    point_answers,
    point_pictures,
)
from bnnray.results import RunFolder
from bnnray.runtime import RunOptions, run_job
from bnnray.threat import Question, Threat, parse_epsilon

JOB = """
name = "small"
[data]
dataset = "digits"
points = 4
[[model]]
name = "net"
hidden = [20]
train = { epochs = 4 }
[threat]
epsilon = ["1/16", "3/16"]
domain = "DOMAIN"
[[attack]]
kind = "pgd"
iterations = 20
restarts = 2
"""


class Silent:
    """Is told how a run goes, and says nothing."""

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture(scope="module", params=["box", "grid"])
def run(request, tmp_path_factory) -> RunFolder:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "job.toml").write_text(JOB.replace("DOMAIN", request.param))
    job = load_job(folder / "job.toml").job
    return run_job(job, RunOptions(folder, local=True), Silent()).folder


def test_the_gallery_and_the_surrogate_are_of_what_was_attacked(run):
    report = make_report(run)
    drawings = {d.name: d.page.numbers for d in report.drawings}
    data = load_dataset("digits", "test")
    assert drawings["gallery"].pictures
    for picture in drawings["gallery"].pictures:
        assert picture.adversarial != picture.predicted
        point = int(picture.title.split("point ")[1].split(",")[0])
        assert picture.label == data.labels[point]
        assert np.array_equal(picture.original, data.images[point] / 16)
        assert 0 < picture.largest <= float(parse_epsilon(picture.epsilon)) * (1 + 1e-12)
        assert picture.scores[picture.adversarial] == picture.scores.max()
        assert picture.clean_scores[picture.predicted] == picture.clean_scores.max()
        assert picture.enlarged.min() >= 0
        assert picture.enlarged.max() <= 1
    assert len(set(drawings["surrogate"].true)) > 1
    assert "data:image/png" in report.html()


def test_figures_that_need_the_network_are_left_out_without_it(run, tmp_path):
    model = next(run.models.glob("*.bnn"))
    away = model.rename(tmp_path / model.name)
    try:
        missing = {kind.name for kind in make_report(run).missing}
    finally:
        away.rename(model)
    assert {"gallery", "surrogate"} <= missing


def test_a_point_is_shown_with_every_answer(run):
    answers, problems = point_answers(run, 2)
    assert [(a.model, a.epsilon) for a in answers] == [("net", 1 / 16), ("net", 3 / 16)]
    assert problems == ()
    with pytest.raises(UsageError, match="got 99; there are 4, from 0 to 3"):
        point_answers(run, 99)
    flipped = [
        p for p in range(4) if any(a.verdict == "vulnerable" for a in point_answers(run, p)[0])
    ]
    pictures = point_pictures(run, flipped[0])
    assert picture_png(pictures).startswith(b"\x89PNG")


def test_a_point_without_a_flip_has_no_picture(run):
    robust = [
        p for p in range(4) if all(a.verdict != "vulnerable" for a in point_answers(run, p)[0])
    ]
    for point in robust or [99]:
        with pytest.raises(UsageError, match="no attack flips point"):
            point_pictures(run, point)


def test_exported_arrays_are_the_inputs(run, tmp_path):
    assert export_csv(run, tmp_path / "a.csv") == 8
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert header.startswith('"key","question"')
    assert len(rows) == 8
    assert export_npz(run, tmp_path / "a.npz") == 8
    found = np.load(tmp_path / "a.npz")
    data = load_dataset("digits", "test")
    model = load_model(next(run.models.glob("*.bnn")))
    assert found["perturbed"].shape == found["original"].shape == (8, 64)
    for n in range(8):
        assert np.array_equal(found["original"][n] * 16, data.pixels(found["point"][n]))
        change = np.abs(found["perturbed"][n] - found["original"][n])
        assert change.max() <= found["epsilon"][n] * (1 + 1e-12)
    whole = found["perturbed"] * 16
    if np.array_equal(whole, np.rint(whole)):
        predicted = model.network.predict(whole.astype(np.int64), 16)
        assert np.array_equal(predicted, found["adversarial_class"])


def test_load_gives_the_networks_that_were_attacked(run):
    (model,) = run.models.glob("*.bnn")
    assert bnnray.load(run.path).networks["net"].digest == load_model(model).digest


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3), (4, 4, 1), (9,), (7,)])
def test_images_of_every_shape_are_drawn(shape):
    from bnnray.network import Dense, Network, OutputLayer, SignLayer

    pixels = int(np.prod(shape))
    ones = np.ones((1, pixels), dtype=np.int8)
    zero = np.zeros(1, dtype=np.float32)
    hidden = SignLayer(Dense(ones), zero + 1, zero)
    network = Network(shape, (hidden,), OutputLayer(Dense(np.array([[1], [-1]], dtype=np.int8))))
    question = Question(
        network, np.ones(pixels, dtype=np.int64), 4, 0, Threat(parse_epsilon("1/4"))
    )
    picture = make_picture(question, question.region.clean_witness, "nothing changed")
    assert (picture.changed, picture.largest) == (0, 0.0)
    assert np.all(picture.enlarged == 0.5)
    draw_pictures([picture] * 3)
