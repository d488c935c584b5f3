import math

import numpy as np
import pytest
import torch

from bnnray.errors import ModelError
from bnnray.models import Architecture
from bnnray.models.binary_layers import BinaryMlp
from bnnray.models.export import export_network


def random_model(seed, output):
    """A model in eval mode with arbitrary batch normalization, in float64."""
    generator = torch.Generator().manual_seed(seed)
    model = BinaryMlp(6, 3, Architecture(hidden=(8, 7), output=output), generator).eval()
    norms = [*model.norms, *([model.output_norm] if output == "affine" else [])]
    with torch.no_grad():
        for norm in norms:
            for tensor in (norm.weight, norm.bias, norm.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            norm.running_var.copy_(torch.rand(norm.running_var.shape, generator=generator) + 0.1)
    return model.double()


@pytest.mark.parametrize("output", ["plain", "affine"])
@pytest.mark.parametrize("seed", range(10))
def test_export_equals_the_model(seed, output):
    model = random_model(seed, output)
    network = export_network(model, (2, 3))
    numerators = np.random.default_rng(seed).integers(0, 17, size=(200, 6))
    with torch.no_grad():
        expected = model(torch.from_numpy(numerators) / torch.tensor(16, dtype=torch.float64))
    scores = network.scores(numerators, 16).astype(np.float64) / network.output.denominator
    # Thresholds are rounded to float32 once; no input of these seeds is that close to one.
    np.testing.assert_allclose(scores, expected.numpy(), rtol=1e-5, atol=1e-5)
    assert network.input_shape == (2, 3)
    assert network.output.is_affine == (output == "affine")


def test_scale_and_shift_are_rounded_once_from_float64():
    model = random_model(0, "plain").float()
    layer = export_network(model, (6,)).hidden[0]
    norm = model.norms[0]
    for unit in range(8):
        gamma, beta, mean, var = (
            t[unit].item() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        scale = gamma / math.sqrt(var + norm.eps)
        assert layer.scale[unit] == np.float32(scale)
        assert layer.shift[unit] == np.float32(beta - scale * mean)


def test_a_latent_weight_of_zero_is_plus_one():
    model = random_model(0, "plain")
    with torch.no_grad():
        model.linears[0].latent[0, :3] = torch.tensor([0.0, -0.0, -1e-30])
    weights = export_network(model, (6,)).hidden[0].linear.matrix()
    assert weights[0, :3].tolist() == [1, 1, -1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["norms.0.weight", "norms.1.running_mean", "linears.0.latent"])
def test_numbers_that_are_not_finite_are_refused(name, value):
    model = random_model(0, "plain")
    with torch.no_grad():
        model.state_dict()[name].view(-1)[0] = value
    with pytest.raises(ModelError, match="must be finite"):
        export_network(model, (6,))


def test_a_scale_beyond_float32_is_refused():
    model = random_model(0, "plain")
    with torch.no_grad():
        model.norms[0].weight[0] = 1e300
    with pytest.raises(ModelError, match="must be finite"):
        export_network(model, (6,))
