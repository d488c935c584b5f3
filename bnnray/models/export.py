"""From a trained torch model to the exact network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bnnray.errors import ModelError
from bnnray.models.binary_layers import BinaryLinear, BinaryMlp
from bnnray.network import Dense, Float32Array, Network, OutputLayer, Quantizer, SignLayer


def export_network(
    model: BinaryMlp, input_shape: tuple[int, ...], quantizer: Quantizer | None = None
) -> Network:
    """The exact network of a trained model.

    Batch normalization becomes s = gamma / sqrt(var + eps) and b = beta - s * mean (layers
    have no bias), computed in float64 and rounded once to float32. A latent weight of 0 is +1.

    Args:
        model: trained on images that had passed the quantizer, if there is one.
        input_shape: of one image.
        quantizer: what the network is to begin with.

    Raises:
        ModelError: a parameter that is not finite, as after a training that diverged.
    """
    hidden = tuple(
        SignLayer(_dense(linear), *_scale_and_shift(norm))
        for linear, norm in zip(model.linears, model.norms, strict=False)
    )
    norm = model.output_norm
    affine = (None, None) if norm is None else _scale_and_shift(norm)
    output = OutputLayer(_dense(model.linears[-1]), *affine)
    return Network(input_shape, hidden, output, quantizer)


def _dense(linear: nn.Module) -> Dense:
    assert isinstance(linear, BinaryLinear)
    latent = _float64(linear.latent)
    if not np.all(np.isfinite(latent)):
        # A sign would hide it.
        raise ModelError("latent weights must be finite; the training diverged")
    return Dense(np.where(latent >= 0, 1, -1).astype(np.int8))


def _scale_and_shift(norm: nn.Module) -> tuple[Float32Array, Float32Array]:
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = _float64(norm.weight) / np.sqrt(_float64(norm.running_var) + norm.eps)
    shift = _float64(norm.bias) - scale * _float64(norm.running_mean)
    return _float32(scale), _float32(shift)


def _float64(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = tensor.detach().cpu().numpy().astype(np.float64)
    return values


def _float32(values: npt.NDArray[np.float64]) -> Float32Array:
    # What is too large becomes infinite and is refused by the layer.
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
