import pytest
import torch

from bnnray.models import Architecture
from bnnray.models.binary_layers import BinaryLinear, BinaryMlp, sign_through


def make(output="plain", hidden=(5, 4)):
    generator = torch.Generator().manual_seed(0)
    return BinaryMlp(6, 3, Architecture(hidden=hidden, output=output), generator)


def test_sign_of_zero_is_plus_one():
    x = torch.tensor([-2.0, -1e-30, -0.0, 0.0, 1e-30, 2.0])
    assert sign_through(x).tolist() == [-1, -1, 1, 1, 1, 1]


def test_the_gradient_passes_within_one_and_not_beyond():
    x = torch.tensor([-1.1, -1.0, 0.0, 0.5, 1.0, 1.1], requires_grad=True)
    (sign_through(x) * torch.arange(6.0)).sum().backward()
    assert x.grad.tolist() == [0, 1, 2, 3, 4, 0]


def test_every_layer_sums_by_signs_also_the_first_and_last():
    model = make().eval()
    x = torch.rand((7, 6))
    for linear in model.linears:
        assert isinstance(linear, BinaryLinear)
        assert 0.05 < linear.latent.abs().max() <= 0.1
    with torch.no_grad():
        scores = model(x)
        for linear in model.linears:
            linear.latent.mul_(7)
        assert torch.equal(model(x), scores)
    assert torch.equal(scores, scores.round())
    assert scores.abs().max() <= 4


def test_clip_brings_latent_weights_back():
    model = make()
    with torch.no_grad():
        model.linears[0].latent.fill_(3.0)
        model.linears[2].latent.fill_(-3.0)
    model.clip()
    assert torch.all(model.linears[0].latent == 1)
    assert torch.all(model.linears[2].latent == -1)


@pytest.mark.parametrize("output", ["plain", "affine"])
def test_every_parameter_gets_a_gradient(output):
    model = make(output, hidden=(20, 20))
    scores = model(torch.rand((32, 6)))
    model.loss(scores, torch.arange(32) % 3).backward()
    for name, parameter in model.named_parameters():
        assert torch.any(parameter.grad != 0), name
