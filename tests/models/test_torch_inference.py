import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import cases

from bnnray.errors import ModelError
from bnnray.models.inference import SAFE_SUM, TorchNetwork, lowest_argmax
from bnnray.network import Dense, Network, OutputLayer, Quantizer, Rounding, SignLayer


def one_unit(inputs, scale, shift, output=None):
    layer = SignLayer(
        Dense(np.ones((1, inputs), np.int8)),
        np.array([scale], np.float32),
        np.array([shift], np.float32),
    )
    return Network((inputs,), (layer,), output or OutputLayer(Dense(np.array([[1], [-1]], "i1"))))


@settings(deadline=None, max_examples=300)
@given(cases())
def test_torch_inference_is_the_exact_network(case):
    network = TorchNetwork(case.network, case.levels)
    inputs = torch.from_numpy(case.numerators)
    exact = case.network.activations(case.numerators, case.levels)
    for ours, theirs in zip(network.activations(inputs), exact, strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    expected = case.network.predict(case.numerators, case.levels)
    assert np.array_equal(network.predict(inputs).numpy(), expected)


@settings(deadline=None)
@given(cases())
def test_scores_are_the_exact_integers_or_refused(case):
    network = TorchNetwork(case.network, case.levels)
    exact = case.network.scores(case.numerators, case.levels)
    if exact.dtype == object:
        with pytest.raises(ModelError, match="may pass int64"):
            network.scores(torch.from_numpy(case.numerators))
    else:
        assert np.array_equal(network.scores(torch.from_numpy(case.numerators)).numpy(), exact)


@settings(deadline=None)
@given(cases(), st.integers(1, 20), st.sampled_from(Rounding))
def test_torch_inference_passes_the_quantizer(case, steps, rounding):
    exact = dataclasses.replace(case.network, quantizer=Quantizer(steps, rounding))
    network = TorchNetwork(exact, case.levels)
    predicted = network.predict(torch.from_numpy(case.numerators)).numpy()
    assert np.array_equal(predicted, exact.predict(case.numerators, case.levels))


def test_torch_inference_is_the_exact_network_on_all_of_mnist(reference, mnist_test):
    numerators = mnist_test.images.reshape(len(mnist_test), -1)
    network = TorchNetwork(reference.network, 255)
    exact = reference.network.scores(numerators.astype(np.int64), 255)
    assert np.array_equal(network.scores(torch.tensor(numerators)).numpy(), exact)
    predicted = network.predict(torch.tensor(numerators)).numpy()
    assert np.array_equal(predicted, reference.network.predict(numerators.astype(np.int64), 255))


def test_the_sign_is_exact_where_products_fill_the_whole_double():
    # s * n takes up to 24 + 29 = 53 bits, and b is next to where the unit turns.
    rng = np.random.default_rng(0)
    top = SAFE_SUM - 1
    for scale in rng.uniform(-1, 1, size=300).astype(np.float32):
        numerator = int(rng.integers(1, SAFE_SUM))
        turn = np.float32(-float(scale) * numerator / top)
        for shift in (turn, np.nextafter(turn, np.float32(9)), np.nextafter(turn, np.float32(-9))):
            near = np.clip(numerator + np.arange(-20, 21)[:, None], 0, top)
            network = one_unit(1, scale, shift)
            ours = TorchNetwork(network, top).activations(torch.from_numpy(near))[0]
            assert np.array_equal(ours.numpy(), network.activations(near, top)[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float64])
def test_numerators_may_be_of_any_type(dtype):
    network = TorchNetwork(one_unit(2, 255, -255), 255)
    inputs = torch.tensor([[255, 0], [254, 0], [254, 1]], dtype=dtype)
    assert network.activations(inputs)[0].ravel().tolist() == [1, -1, 1]


def test_sums_that_could_be_inexact_are_refused():
    TorchNetwork(one_unit(2, 1, 0), SAFE_SUM // 2 - 1)
    with pytest.raises(ModelError, match="smaller denominator"):
        TorchNetwork(one_unit(2, 1, 0), SAFE_SUM // 2)


def test_ties_go_to_the_lowest_class():
    scores = torch.tensor([[3, 3, 3], [1, 2, 2], [2, 1, 2], [0, 1, 5]])
    assert lowest_argmax(scores).tolist() == [0, 1, 0, 2]


def test_the_default_dtype_does_not_matter():
    network = TorchNetwork(one_unit(3, 0.1, -0.1), 255)
    inputs = torch.arange(300).reshape(100, 3)
    expected = network.predict(inputs)
    torch.set_default_dtype(torch.float16)
    try:
        assert torch.equal(network.predict(inputs), expected)
    finally:
        torch.set_default_dtype(torch.float32)
