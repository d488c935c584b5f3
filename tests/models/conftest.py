from pathlib import Path

import pytest
import torch

from bnnray.datasets import load_dataset
from bnnray.models import load_model

NETWORKS = Path(__file__).parents[1] / "networks"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small batches on busy cores: torch's threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mnist_test(real_data):
    return load_dataset("mnist", "test", real_data)


@pytest.fixture(scope="session")
def mnist_train(real_data):
    return load_dataset("mnist", "train", real_data)


@pytest.fixture(scope="session")
def digits():
    return load_dataset("digits", "train"), load_dataset("digits", "test")


@pytest.fixture(scope="session", params=["mnist_2x100", "mnist_5x100", "mnist_2x100_quantized"])
def reference(request):
    """A network that was trained on MNIST and is kept with the tests."""
    return load_model(NETWORKS / f"{request.param}.bnn")
