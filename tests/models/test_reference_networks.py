from pathlib import Path

from bnnray.models import accuracy

NETWORKS = Path(__file__).parents[1] / "networks"


def test_a_reference_network_is_small():
    sizes = [path.stat().st_size for path in NETWORKS.glob("mnist_*.bnn")]
    assert len(sizes) == 2
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
