import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from bnnray.datasets import Dataset
from bnnray.errors import ModelError, UsageError
from bnnray.models import (
    Architecture,
    Training,
    accuracy,
    load_model,
    save_model,
    train_model,
    training_digest,
)
from bnnray.models import training as trainer
from bnnray.models.export import export_network
from bnnray.models.inference import TorchNetwork
from bnnray.models.store import _samples
from bnnray.network import Quantizer, Rounding

ARCHITECTURE = Architecture(hidden=(64, 64))
TRAINING = Training(epochs=20, batch_size=64)


@pytest.fixture(scope="module")
def trained(digits):
    epochs, batches = [], []
    model = train_model(
        ARCHITECTURE, TRAINING, *digits, epochs.append, "cpu", on_batch=batches.append
    )
    return model, epochs, batches


def tiny(images=40, split="train", **changes):
    rng = np.random.default_rng(0)
    made = Dataset(
        name="tiny",
        split=split,
        images=rng.integers(0, 4, size=(images, 2, 2), dtype=np.uint8),
        labels=rng.integers(0, 2, size=images),
        levels=3,
        classes=2,
    )
    return dataclasses.replace(made, **changes)


def test_digits_are_learnt(trained, digits):
    model, _, _ = trained
    assert model.record["test_accuracy"] > 0.85
    assert model.record["train_accuracy"] > 0.95
    assert model.record["test_accuracy"] == accuracy(model.network, digits[1])
    assert (model.dataset, model.levels, model.classes) == ("digits", 16, 10)
    assert model.network.input_shape == (8, 8)
    assert model.network.widths == (64, 64)
    assert not model.network.output.is_affine


def test_the_record_says_how(trained, digits):
    record = trained[0].record
    assert json.loads(json.dumps(record))["training"] == dataclasses.asdict(TRAINING)
    assert record["architecture"]["hidden"] == [64, 64]
    assert record["training_digest"] == training_digest(ARCHITECTURE, TRAINING, digits[0].digest)
    assert record["dataset_digest"] == digits[0].digest
    assert record["test_digest"] == digits[1].digest
    assert len(record["loss"]) == len(record["accuracy"]) == 20
    assert record["device"] == "cpu"
    assert record["torch"] == torch.__version__
    assert record["seconds"] > 0


def test_listeners_hear_of_every_epoch_and_batch(trained):
    _, epochs, batches = trained
    assert [(r.epoch, r.epochs) for r in epochs] == [(n, 20) for n in range(1, 21)]
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].accuracy > epochs[0].accuracy
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(epochs))
    assert len(batches) == 20 * (1300 // 64)
    assert (batches[-1].epoch, batches[-1].batch) == (20, batches[-1].batches)


def test_a_trained_model_is_stored(trained, tmp_path):
    model = trained[0]
    save_model(model, tmp_path / "x.bnn")
    loaded = load_model(tmp_path / "x.bnn")
    assert loaded.digest == model.digest
    assert loaded.record == model.record


def test_a_seed_repeats_and_another_differs(digits):
    digests = [
        train_model(ARCHITECTURE, Training(epochs=2, seed=seed), *digits).digest
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_torch_is_left_as_it_was():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    before = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    train_model(Architecture(hidden=(3,)), Training(epochs=1), tiny(), tiny())
    assert torch.equal(torch.get_rng_state(), state)
    after = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    assert after == before


def test_affine_outputs(digits):
    architecture = Architecture(hidden=(64,), output="affine")
    model = train_model(architecture, Training(epochs=10), *digits)
    assert model.network.output.is_affine
    assert model.record["test_accuracy"] > 0.8


@pytest.mark.parametrize("quantizer", [Quantizer(5), Quantizer(10, Rounding.FLOOR)])
def test_a_quantized_network_is_trained_on_what_it_sees(digits, quantizer):
    """Its accuracy is the exact one, and that of the training form on the quantized images."""
    architecture = dataclasses.replace(ARCHITECTURE, quantizer=quantizer)
    model = train_model(architecture, Training(epochs=10, batch_size=64), *digits)
    assert model.network.quantizer == quantizer
    assert model.record["test_accuracy"] == accuracy(model.network, digits[1]) > 0.8
    assert model.record["architecture"]["quantizer"]["steps"] == quantizer.steps
    images = digits[1].images.reshape(len(digits[1]), -1)
    predicted = TorchNetwork(model.network, 16).predict(torch.tensor(images)).numpy()
    assert float((predicted == digits[1].labels).mean()) == pytest.approx(
        model.record["test_accuracy"]
    )


def test_training_form_and_export_agree_on_quantized_images(digits):
    quantizer = Quantizer(10)
    samples = _samples(digits[0], quantizer)
    assert samples.levels == 10
    assert int(samples.images.max()) == 10
    architecture = dataclasses.replace(ARCHITECTURE, quantizer=quantizer)
    trained = trainer.train(architecture, Training(epochs=3), samples)
    network = export_network(trained.network, (8, 8), quantizer)
    with torch.no_grad():
        scores = trained.network.eval()(samples.images.float() / samples.levels)
    images = digits[0].images.reshape(len(digits[0]), -1).astype(np.int64)
    assert np.array_equal(network.scores(images, 16), scores.numpy())


@pytest.mark.parametrize(("images", "batch_size"), [(2, 128), (129, 128), (5, 2)])
def test_odd_numbers_of_images(images, batch_size):
    batches = []
    train_model(
        Architecture(hidden=(3,)),
        Training(epochs=1, batch_size=batch_size),
        tiny(images),
        tiny(),
        on_batch=batches.append,
    )
    assert len(batches) == max(1, images // batch_size)


def test_too_few_images():
    with pytest.raises(UsageError, match="at least 2 images"):
        train_model(Architecture(hidden=(3,)), Training(epochs=1), tiny(1), tiny())


@pytest.mark.parametrize("change", [{"name": "other"}, {"levels": 4}, {"classes": 3}])
def test_splits_of_different_data_sets(change):
    with pytest.raises(ModelError, match=f"{next(iter(change))} differ"):
        train_model(Architecture(hidden=(3,)), Training(epochs=1), tiny(), tiny(**change))


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(UsageError, match="cannot be used here") as caught:
        train_model(Architecture(hidden=(3,)), Training(epochs=1), tiny(), tiny(), device=device)
    assert "\n" not in str(caught.value)
