"""The exact network in torch, for batches on a CPU or GPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bnnray.errors import ModelError
from bnnray.network import Network, SignLayer
from bnnray.network.layers import SAFE_INT64

SAFE_SUM = 2**29


class TorchNetwork:
    """Inference in float64 that gives exactly what :class:`bnnray.network.Network` gives.

    A unit on inputs n / L fires iff ``s * (W n) + L * b >= 0`` (s, b float32; n, L integers; behind
    a quantizer its levels over its steps).
    That is exact in float64, in any order of summation, fused or not, on any device:

    - W n is a sum of integers below 2**29 in magnitude, so every partial sum is exact.
    - s has 24 significant bits and W n at most 29, so their product has at most 53: exact. The
      same holds for L * b. Neither can overflow or become subnormal.
    - one addition is left, correctly rounded. Rounding is monotone and 0 is a float64, so the
      result has the sign of the exact sum; it is 0 only if that is 0, float64 being a multiple
      of the smallest subnormal.

    Scores are integers. Plain sums are below 2**29. Affine scores are computed in int64 where
    they provably fit, and by the exact network in Python integers where they may not.

    Args:
        network: the exact network.
        denominator: L; inputs are n / L with 0 <= n <= L, 255 for 8-bit images.
        device: where to compute.

    Raises:
        ModelError: a denominator or layer so large that the sums could reach 2**29.
    """

    def __init__(
        self, network: Network, denominator: int, device: torch.device | str = "cpu"
    ) -> None:
        self.network = network
        self.device = torch.device(device)
        self._denominator = denominator
        quantizer = network.quantizer
        first = denominator if quantizer is None else quantizer.steps
        denominators = [first] + [1] * (network.depth - 1)
        self._layers = [
            _SignUnits(layer, scale, self.device)
            for layer, scale in zip(network.hidden, denominators, strict=True)
        ]
        _check_reach(network.output.linear.inputs)
        self._output = _weights(network.output.linear.matrix(), self.device)
        self._affine = _affine(network, self.device)

    def activations(self, numerators: Tensor) -> list[Tensor]:
        """Activations of each hidden layer, float64 (n, units) of -1 and +1.

        Args:
            numerators: (n, pixels) integers of any dtype, on this network's device.
        """
        values = self._entered(numerators).to(torch.float64)
        results = []
        for layer in self._layers:
            values = layer.fire(values)
            results.append(values)
        return results

    def _entered(self, numerators: Tensor) -> Tensor:
        """What the first layer sees: the levels of a quantizer, if there is one."""
        quantizer = self.network.quantizer
        if quantizer is None:
            return numerators
        whole = numerators.cpu().numpy().astype(np.int64)
        return torch.from_numpy(quantizer.levels(whole, self._denominator)).to(self.device)

    def sums(self, numerators: Tensor) -> Tensor:
        """Plain sums of the output layer, float64 (n, classes), before any affine map."""
        return self.activations(numerators)[-1] @ self._output

    def scores(self, numerators: Tensor) -> Tensor:
        """Integer scores int64 (n, classes), over ``network.output.denominator``.

        Raises:
            ModelError: the scores of this network may pass int64; use ``predict``.
        """
        if self._affine is None:
            raise ModelError(
                "this network's scores may pass int64; use predict, or the exact network's scores"
            )
        multipliers, offsets = self._affine
        return self.sums(numerators).to(torch.int64) * multipliers + offsets

    def predict(self, numerators: Tensor) -> Tensor:
        """The class of each input, int64 (n,); ties go to the lowest class."""
        if self._affine is not None:
            return lowest_argmax(self.scores(numerators))
        last = self.activations(numerators)[-1].cpu().numpy().astype(np.int64)
        scores = self.network.output.scores(last)
        return torch.from_numpy(np.argmax(scores, axis=1).astype(np.int64)).to(self.device)


def lowest_argmax(scores: Tensor) -> Tensor:
    """The lowest index of the largest score, int64 (n,); torch.argmax does not promise that."""
    classes = scores.shape[1]
    index = torch.arange(classes, device=scores.device)
    best = scores == scores.amax(dim=1, keepdim=True)
    return torch.where(best, index, classes).amin(dim=1)


class _SignUnits:
    def __init__(self, layer: SignLayer, denominator: int, device: torch.device) -> None:
        _check_reach(layer.inputs * denominator)
        self.weights = _weights(layer.linear.matrix(), device)
        self.scale = torch.from_numpy(layer.scale.astype(np.float64)).to(device)
        self.shift = torch.from_numpy(layer.shift.astype(np.float64) * denominator).to(device)

    def fire(self, values: Tensor) -> Tensor:
        sums = values @ self.weights
        return torch.where(self.scale * sums + self.shift >= 0, 1.0, -1.0).to(torch.float64)


def _weights(
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.int8]], device: torch.device
) -> Tensor:
    return torch.from_numpy(matrix.T.astype(np.float64)).to(device)


def _check_reach(reach: int) -> None:
    if reach >= SAFE_SUM:
        raise ModelError(
            f"torch inference is exact for sums below 2**29; this layer's could reach {reach}: "
            "use the exact network or a smaller denominator"
        )


def _affine(network: Network, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Multipliers and offsets of the sums, (classes,), or None where scores may pass int64."""
    output = network.output
    reach = max(abs(m) for m in output.multipliers) * output.linear.inputs
    if reach + max(abs(o) for o in output.offsets) >= SAFE_INT64:
        return None
    multipliers = torch.tensor(output.multipliers, dtype=torch.int64, device=device)
    return multipliers, torch.tensor(output.offsets, dtype=torch.int64, device=device)
