"""Binarized layers for training, in torch (Courbariaux et al. 2016, arXiv:1602.02830).

The forward pass sees only signs. The backward pass takes the sign for the identity where
|x| <= 1 and for a constant elsewhere: the straight-through estimator with clipping.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from bnnray.models.spec import Architecture

INITIAL_RANGE = 0.1
LATENT_RANGE = 1.0


class _SignThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (x.abs() <= 1)


def sign_through(x: Tensor) -> Tensor:
    """Signs of x (0 gives +1); gradients pass unchanged where |x| <= 1, else not at all."""
    signs: Tensor = _SignThrough.apply(x)  # type: ignore[no-untyped-call]
    return signs


class BinaryLinear(nn.Module):
    """A linear map by the signs of real latent weights, without bias.

    Args:
        inputs, units: the latent weights have shape (units, inputs).
        generator: draws them from U(-0.1, 0.1).
    """

    def __init__(self, inputs: int, units: int, generator: torch.Generator) -> None:
        super().__init__()
        uniform = torch.rand((units, inputs), generator=generator)
        self.latent = nn.Parameter((2 * uniform - 1) * INITIAL_RANGE)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, sign_through(self.latent))

    @torch.no_grad()
    def clip(self) -> None:
        """Bring the latent weights back to [-1, 1]; further out they would never flip again."""
        self.latent.clamp_(-LATENT_RANGE, LATENT_RANGE)


class BinaryMlp(nn.Module):
    """A fully connected network with binary weights in every layer and sign activations.

    Each hidden layer is BinaryLinear, batch normalization, sign. The output is a BinaryLinear,
    and with ``output="affine"`` a batch normalization after it. Inputs are (n, pixels) floats
    in [0, 1], not normalized; results are the scores (n, classes).
    """

    def __init__(
        self, pixels: int, classes: int, architecture: Architecture, generator: torch.Generator
    ) -> None:
        super().__init__()
        widths = (pixels, *architecture.hidden, classes)
        self.linears = nn.ModuleList(
            BinaryLinear(i, o, generator) for i, o in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in architecture.hidden)
        self.output_norm = nn.BatchNorm1d(classes) if architecture.output == "affine" else None
        # Sums of w signs spread like sqrt(w). Divided by that (in the loss only, the scores stay
        # integers) the softmax starts neither flat nor saturated, whatever the width.
        self.temperature = 1.0 if self.output_norm else math.sqrt(architecture.hidden[-1])

    def forward(self, x: Tensor) -> Tensor:
        for linear, norm in zip(self.linears, self.norms, strict=False):
            x = sign_through(norm(linear(x)))
        scores: Tensor = self.linears[-1](x)
        return scores if self.output_norm is None else self.output_norm(scores)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the scores over the fixed temperature."""
        return nn.functional.cross_entropy(scores / self.temperature, labels)

    def clip(self) -> None:
        """Clip all latent weights; due after every step."""
        for linear in self.linears:
            assert isinstance(linear, BinaryLinear)
            linear.clip()
