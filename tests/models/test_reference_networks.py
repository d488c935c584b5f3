from pathlib import Path

from bnnray.models import Architecture, Training, accuracy, load_model, training_digest
from bnnray.network import Quantizer, Rounding

NETWORKS = Path(__file__).parents[1] / "networks"


def test_a_reference_network_is_small():
    sizes = [path.stat().st_size for path in NETWORKS.glob("mnist_*.bnn")]
    assert len(sizes) == 3
    assert max(sizes) < 100_000


def test_a_reference_network_reaches_what_its_record_says(reference, mnist_test):
    record = reference.record
    assert record["test_accuracy"] == accuracy(reference.network, mnist_test) >= 0.955
    assert record["test_digest"] == mnist_test.digest
    assert (reference.dataset, reference.levels, reference.classes) == ("mnist", 255, 10)
    assert record["seed"] == 0


def test_a_reference_network_was_trained_on_mnist(reference, mnist_train):
    record = reference.record
    assert record["dataset_digest"] == mnist_train.digest
    assert record["train_accuracy"] == accuracy(reference.network, mnist_train)


def test_a_reference_network_has_the_training_digest_of_its_settings(reference):
    """Also those from before there were quantizers: runs find what they trained once."""
    record = reference.record
    settings = record["architecture"]
    quantizer = settings.get("quantizer")
    assert (quantizer is None) == (reference.network.quantizer is None)
    architecture = Architecture(
        hidden=tuple(settings["hidden"]),
        output=settings["output"],
        quantizer=quantizer and Quantizer(quantizer["steps"], Rounding(quantizer["rounding"])),
    )
    digest = training_digest(architecture, Training(**record["training"]), record["dataset_digest"])
    assert record["training_digest"] == digest


def test_networks_from_before_quantizers_keep_their_digests():
    digests = {
        "mnist_2x100": "25692cad930966729751623bc5cca4d6718c61ff2c0e28618e3a76bc98a07537",
        "mnist_5x100": "9c582edafc5581aaa7e6971c3870cbaebca31be2b0b210d9eae94e6c0be0fa39",
    }
    for name, digest in digests.items():
        assert load_model(NETWORKS / f"{name}.bnn").digest == digest


def test_a_quantized_reference_network_begins_with_its_quantizer():
    model = load_model(NETWORKS / "mnist_2x100_quantized.bnn")
    assert model.network.quantizer == Quantizer(10)
