"""What a notebook uses."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
from known_runs import add, list_units, make_run, unit

import bnnray
from bnnray.api.ask import as_pixels
from bnnray.datasets import load_dataset
from bnnray.errors import RunFolderError, UsageError
from bnnray.models import Architecture, Training, save_model, train_model
from bnnray.threat import replay
from bnnray.verdicts import Verdict


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", "test")


@pytest.fixture(scope="module")
def model(digits):
    train = load_dataset("digits", "train")
    return train_model(Architecture(hidden=(12,)), Training(epochs=4), train, digits)


def test_the_public_names_are_these():
    assert bnnray.__all__ == ["Answer", "Run", "attack", "load", "verify"]
    assert set(bnnray.__all__) <= set(dir(bnnray))
    for name in bnnray.__all__:
        assert getattr(bnnray, name) is getattr(bnnray.api, name)
    assert bnnray.api.__all__ == bnnray.__all__
    with pytest.raises(AttributeError, match="no attribute 'atack'"):
        bnnray.atack  # noqa: B018


def test_importing_the_package_loads_nothing_until_a_name_is_used():
    code = "import bnnray, sys; f = lambda: print('numpy' in sys.modules); f(); bnnray.load; f()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("domain", ["box", "grid"])
def test_attack_answers_with_a_replayed_input(model, digits, domain):
    answer = bnnray.attack(model, digits.images[0], "4/16", domain=domain, iterations=30)
    assert answer.verdict is Verdict.VULNERABLE
    assert answer.flipped
    assert answer.perturbed.shape == (8, 8)
    found = replay(answer.question, answer.outcome.incumbent.witness)
    assert float(found.objective) == answer.objective > 0
    assert "vulnerable (pgd" in str(answer)
    assert repr(answer) == f"<bnnray.Answer: {answer}>"
    assert answer._repr_html_().count("data:image/png;base64,") == 1


def test_a_milp_proves_and_an_unchanged_image_has_no_picture(model, digits):
    settings = {"kind": "milp", "backend": "highs", "stop": "flip", "domain": "grid"}
    answer = bnnray.attack(model, digits.images[0], 0, **settings)
    assert answer.verdict is Verdict.ROBUST
    assert "img" not in answer._repr_html_()
    assert answer.bound is not None
    assert f"bound {answer.bound:g}" in str(answer)


def test_verify_decides(model, digits):
    stages = [{"kind": "pgd", "iterations": 20}, {"kind": "milp", "backend": "highs"}]
    for epsilon in ("1/16", "4/16"):
        answer = bnnray.verify(model, digits.images[1], epsilon, stages=stages, domain="grid")
        assert answer.verdict is not Verdict.UNKNOWN
        assert answer.question.threat.goal.name == "any"


def test_models_come_as_files_models_and_networks(model, digits, tmp_path):
    save_model(model, tmp_path / "net.bnn")
    image, settings = digits.images[0], {"iterations": 5, "domain": "grid"}
    one = bnnray.attack(tmp_path / "net.bnn", image, "2/16", **settings)
    two = bnnray.attack(str(tmp_path / "net.bnn"), image / 16, "2/16", **settings)
    three = bnnray.attack(model.network, image.reshape(-1), "2/16", levels=16, **settings)
    assert one.objective == two.objective == three.objective


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "pgdd"}, "did you mean 'pgd'"),
        ({"iteratons": 3}, "did you mean 'iterations'"),
        ({"iterations": 0}, "pgd: iterations: "),
        ({"domain": "boxx"}, "did you mean 'box'"),
        ({"image": np.zeros(9)}, "expected an image of shape"),
        ({"image": np.full((8, 8), 0.51)}, "expected pixels k / 16"),
        ({"image": np.full((8, 8), 17)}, "pixels must be integers from 0 to 16"),
        ({"epsilon": 3}, "epsilon must be a number from 0"),
        ({"goal": "best"}, "goal must be"),
        ({"label": 12, "against": "label"}, "label must be a class from 0 to 9"),
    ],
)
def test_a_mistake_is_one_line(model, digits, changes, message):
    asked = {"image": digits.images[0], "epsilon": "1/16", **changes}
    with pytest.raises(UsageError, match=message) as caught:
        bnnray.attack(model, asked.pop("image"), asked.pop("epsilon"), **asked)
    assert "\n" not in str(caught.value)


def test_float32_images_are_read_as_levels(model):
    levels = np.arange(64).reshape(8, 8) % 17
    image = (levels / 16).astype(np.float32)
    assert np.array_equal(as_pixels(image, model.network, 16), levels.reshape(-1))


@pytest.fixture
def run(tmp_path):
    units = [unit(n, point=n) for n in range(2)]
    return make_run(tmp_path / "job", units, {u["key"]: [(0.0, 1), (0.5, 2)] for u in units})


@pytest.mark.parametrize(("frames", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_load_gives_frames(run, frames, kind):
    found = bnnray.load(run.path, frames=frames)
    for table, rows in [(found.results, 2), (found.trace, 4), (found.witnesses, 0)]:
        assert isinstance(table, kind)
        assert len(table) == rows
    assert list(found.query("select count(*) as n from results")["n"]) == [2]
    assert repr(found) == "<bnnray.Run job: 2 of 2 units done>"
    assert "<table>" in found._repr_html_()


def test_load_finds_runs_by_name(run, monkeypatch):
    assert bnnray.load("job", runs_dir=run.path.parent).name == "job"
    monkeypatch.setenv("BNNRAY_RUNS", str(run.path.parent))
    assert bnnray.load("job").name == "job"
    with pytest.raises(RunFolderError, match="there are: job"):
        bnnray.load("jobb")
    with pytest.raises(UsageError, match="did you mean 'pandas'"):
        bnnray.load("job", frames="panda")


def test_a_run_is_read_while_it_is_written(run):
    """Each look sees whole batches, and never fewer rows than the one before."""
    units = [unit(n, point=n) for n in range(32)]
    list_units(run, units)

    def write() -> None:
        for one in units[2:]:
            add(run, [one])

    writer = threading.Thread(target=write)
    writer.start()
    seen = [2]
    while writer.is_alive():
        seen.append(len(bnnray.load(run.path).results))
    writer.join()
    assert seen == sorted(seen)
    assert len(bnnray.load(run.path).results) == 32
