"""Import of a network from plain arrays, as other tools can write them: ``NAME.npz``.

    W0 .. WD              int8 (units, inputs) of -1, 0, +1; WD is the output layer
    threshold0 ..         integers (units,): a hidden unit fires iff sum w * k >= t; in layer 0 the
                          k are pixel levels 0..levels, later the activations of the layer before
    scale0, shift0 ..     float32 (units,), instead: it fires iff scale * a + shift >= 0, with
                          a = sum w * x over pixels x = k / levels in [0, 1], or over activations
    output_scale, output_shift      float32 (classes,), optional
    levels                integer: 255 for 8-bit images
    input_shape           integers, optional: of one image; flat by default
    quantize              optional: the network begins with a quantizer of this step, a number such
                          as 0.1 or text such as "1/255"; then layer 0 sees what that gives: k are
                          its levels, x their values
    rounding              of the quantizer: "nearest" (default) or "floor"
    activations           "sign" (default): a hidden unit gives -1 or +1; "01": 0 or 1

Networks of 0/1 activations are converted exactly, or refused.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bnnray.errors import ModelError, UsageError
from bnnray.models.model import Model
from bnnray.network import (
    Dense,
    Float32Array,
    Network,
    OutputLayer,
    Quantizer,
    Rounding,
    SignLayer,
    Weights,
    make_quantizer,
)

EXACT_FLOAT32 = 2**24
"""Integers below this are float32 numbers."""

KNOWN = re.compile(
    r"(W|threshold|scale|shift)(0|[1-9]\d*)|output_scale|output_shift|levels|input_shape"
    r"|activations|quantize|rounding"
)

Array = npt.NDArray[np.generic]


def import_arrays(path: Path) -> Network:
    """The exact network in an ``.npz`` file of the form above.

    Raises:
        ModelError: no such file, or a key that is missing, unknown, or not as expected.
    """
    return _read_network(_Source.open(path))


def import_model(path: Path, *, dataset: str) -> Model:
    """The network in an ``.npz`` file, as a model for a data set.

    Raises:
        ModelError: as for :func:`import_arrays`.
    """
    source = _Source.open(path)
    record = {"imported_from": path.name}
    return Model(_read_network(source), dataset, source.levels, record)


@dataclass(frozen=True, eq=False)
class _Source:
    path: Path
    arrays: Mapping[str, Array]

    @classmethod
    def open(cls, path: Path) -> _Source:
        source = cls(path, _load(path))
        for key in source.arrays:
            if not KNOWN.fullmatch(key):
                raise source.error(key, "one of the known keys", "an unknown one")
        return source

    def error(self, key: str, expected: str, got: str) -> ModelError:
        return ModelError(
            f"{self.path}, key {key!r}: expected {expected}; got {got}; correct the file"
        )

    def has(self, key: str) -> bool:
        return key in self.arrays

    def get(self, key: str, expected: str) -> Array:
        if key not in self.arrays:
            raise self.error(key, expected, "no such key")
        return self.arrays[key]

    def integers(self, key: str, shape: tuple[int, ...]) -> list[int]:
        """Integers of that shape, flat; a length of -1 stands for any."""
        what = f"integers of shape {shape}" if shape else "an integer"
        array = self.get(key, what)
        fits = len(array.shape) == len(shape) and all(
            want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind not in "iu" or not fits:
            raise self.error(key, what, _describe(array))
        return [int(value) for value in array.ravel().tolist()]

    def floats(self, key: str, length: int) -> Float32Array:
        what = f"finite float32 of shape ({length},)"
        array = self.get(key, what)
        if array.dtype != np.float32 or array.shape != (length,):
            raise self.error(key, what, _describe(array))
        values = array.astype(np.float32)
        if not np.all(np.isfinite(values)):
            raise self.error(key, what, str(values[~np.isfinite(values)][0]))
        return values

    def weights(self, key: str, inputs: int | None) -> Weights:
        what = f"int8 of shape (units, {inputs or 'inputs'}), each -1, 0 or +1"
        array = self.get(key, what)
        shape = array.shape
        fits = len(shape) == 2 and 0 not in shape and inputs in (None, shape[1])
        if array.dtype != np.int8 or not fits:
            raise self.error(key, what, _describe(array))
        values: Weights = array.astype(np.int8)
        outside = (values < -1) | (values > 1)
        if np.any(outside):
            raise self.error(key, what, f"a weight of {int(values[outside][0])}")
        return values

    @property
    def levels(self) -> int:
        (levels,) = self.integers("levels", ())
        if not 1 <= levels < EXACT_FLOAT32:
            raise self.error("levels", "an integer of at least 1 and below 2**24", str(levels))
        return levels

    @property
    def is_01(self) -> bool:
        """Whether hidden activations are 0 and 1."""
        if not self.has("activations"):
            return False
        array = self.arrays["activations"]
        value = str(array[()]) if array.dtype.kind == "U" and array.shape == () else None
        if value not in ("sign", "01"):
            raise self.error("activations", "'sign' or '01'", repr(value or _describe(array)))
        return value == "01"

    @property
    def quantizer(self) -> Quantizer | None:
        """What the network begins with."""
        if not self.has("quantize"):
            if self.has("rounding"):
                raise self.error("rounding", "it beside the key 'quantize'", "it alone")
            return None
        step = self._text("quantize")
        rounding = self._text("rounding") if self.has("rounding") else Rounding.NEAREST
        try:
            return make_quantizer(step, rounding)
        except UsageError as error:
            raise ModelError(f"{self.path}, key 'quantize' or 'rounding': {error}") from None

    def _text(self, key: str) -> str:
        """A text, or a number as it prints."""
        array = self.arrays[key]
        if array.shape != () or array.dtype.kind not in "Uiuf":
            raise self.error(key, "a number or a text", _describe(array))
        return str(array[()])


def _load(path: Path) -> dict[str, Array]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; correct the path") from error
    try:
        # From memory, because numpy leaves a file that is not a zip open.
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError("it holds one array without a name")
        arrays = {key: loaded[key] for key in loaded.files}
    except Exception as error:  # a damaged zip makes numpy and zipfile raise almost anything
        raise _foreign(path, " ".join(str(error).split()) or type(error).__name__) from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise _foreign(path, f"its member {key!r} is not an array")
    return arrays


def _foreign(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} is not an .npz file of plain arrays ({reason}); write it with numpy.savez"
    )


def _describe(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _read_network(source: _Source) -> Network:
    weights = _all_weights(source)
    depth = len(weights) - 1
    _refuse_stray(source, depth)
    shape = _input_shape(source, weights[0].shape[1])
    hidden = tuple(_hidden(source, number, weights[number]) for number in range(depth))
    return Network(shape, hidden, _output(source, weights[-1]), source.quantizer)


def _all_weights(source: _Source) -> list[Weights]:
    numbers = [int(key[1:]) for key in source.arrays if key.startswith("W")]
    weights: list[Weights] = []
    # At least a hidden layer and the output; a gap in the numbers shows as a missing key.
    for number in range(max([1, *numbers]) + 1):
        inputs = weights[-1].shape[0] if weights else None
        weights.append(source.weights(f"W{number}", inputs))
    if len(weights[-1]) < 2:
        raise source.error(f"W{len(weights) - 1}", "an output of at least 2 classes", "1")
    return weights


def _refuse_stray(source: _Source, depth: int) -> None:
    """Refuse thresholds, scales and shifts of layers that are not hidden layers."""
    for key in source.arrays:
        match = re.fullmatch(r"(?:threshold|scale|shift)(\d+)", key)
        if match and int(match[1]) >= depth:
            raise source.error(key, f"hidden layers 0 to {depth - 1} only", f"layer {match[1]}")


def _input_shape(source: _Source, pixels: int) -> tuple[int, ...]:
    if not source.has("input_shape"):
        return (pixels,)
    shape = tuple(source.integers("input_shape", (-1,)))
    if not shape or min(shape) < 1 or math.prod(shape) != pixels:
        raise source.error(
            "input_shape", f"a shape of {pixels} pixels, as W0 takes", str(list(shape))
        )
    return shape


def _hidden(source: _Source, number: int, weights: Weights) -> SignLayer:
    if _has_thresholds(source, number):
        return _from_thresholds(source, number, weights)
    scale = source.floats(f"scale{number}", len(weights))
    shift = source.floats(f"shift{number}", len(weights))
    layer = SignLayer(Dense(weights), scale, shift)
    return _scaled_from_01(layer) if number and source.is_01 else layer


def _has_thresholds(source: _Source, number: int) -> bool:
    key = f"threshold{number}"
    others = [name for name in (f"scale{number}", f"shift{number}") if source.has(name)]
    if source.has(key) and others:
        raise source.error(key, "either a threshold or a scale and a shift", f"{others[0]} too")
    if not source.has(key) and not others:
        raise source.error(key, f"it, or scale{number} and shift{number}", "neither")
    return source.has(key)


def _from_thresholds(source: _Source, number: int, weights: Weights) -> SignLayer:
    key = f"threshold{number}"
    thresholds = source.integers(key, (len(weights),))
    for threshold in thresholds:
        if abs(threshold) >= EXACT_FLOAT32:
            raise source.error(key, "integers below 2**24 in magnitude", str(threshold))
    if number and source.is_01:
        return _sign_layer(weights, np.ones(len(weights), np.int64), thresholds)
    steps = source.levels if source.quantizer is None else source.quantizer.steps
    scale = np.full(len(weights), steps if number == 0 else 1, dtype=np.float32)
    return SignLayer(Dense(weights), scale, -np.array(thresholds, dtype=np.float32))


def _scaled_from_01(layer: SignLayer) -> SignLayer:
    """A layer over 0/1 inputs, given by scale and shift, as one over -1/+1 inputs."""
    thresholds = [math.ceil(t) for t in layer.thresholds]
    return _sign_layer(layer.linear.matrix(), layer.signs, thresholds)


def _sign_layer(weights: Weights, signs: npt.NDArray[np.int64], thresholds: list[int]) -> SignLayer:
    """A layer over -1/+1 inputs of units that fire iff ``sign * sum w h >= t``, h = 0 or 1.

    With h = (x + 1) / 2 a sum is (sum w x + sum w) / 2, so a unit fires iff
    ``sign * sum w x >= 2 t - sign * sum w``. Sums lie within the number of inputs, so t is
    clamped to just outside them first. A sign of 0 is a unit that fires iff 0 >= t.
    """
    reach = weights.shape[1] + 1
    totals = weights.sum(axis=1, dtype=np.int64) * signs
    clamped = np.array([max(-reach, min(reach, t)) for t in thresholds], dtype=np.int64)
    shift = np.where(signs == 0, -clamped, totals - 2 * clamped)
    if np.abs(shift).max() >= EXACT_FLOAT32:
        raise ModelError(
            f"a layer of {weights.shape[1]} inputs is too wide to convert from 0/1 activations; "
            "give it with activations 'sign'"
        )
    return SignLayer(Dense(weights), signs.astype(np.float32), shift.astype(np.float32))


def _output(source: _Source, weights: Weights) -> OutputLayer:
    classes = len(weights)
    keys = "output_scale", "output_shift"
    is_affine = any(source.has(key) for key in keys)
    scale, shift = (source.floats(key, classes) if is_affine else None for key in keys)
    if not source.is_01:
        return OutputLayer(Dense(weights), scale, shift)
    ones, zeros = np.ones(classes, np.float32), np.zeros(classes, np.float32)
    return _output_from_01(
        source, weights, ones if scale is None else scale, zeros if shift is None else shift
    )


def _output_from_01(
    source: _Source, weights: Weights, scale: Float32Array, shift: Float32Array
) -> OutputLayer:
    """Scores of 0/1 activations as an affine map of the sums over -1/+1."""
    totals = [int(total) for total in weights.sum(axis=1, dtype=np.int64)]
    halves = [Fraction(float(s)) / 2 for s in scale]
    shifts = [
        Fraction(float(b)) + half * total
        for b, half, total in zip(shift, halves, totals, strict=True)
    ]
    return OutputLayer(
        Dense(weights),
        _exact_float32(source, "output_scale", halves),
        _exact_float32(source, "output_shift", shifts),
    )


def _exact_float32(source: _Source, key: str, values: list[Fraction]) -> Float32Array:
    with np.errstate(over="ignore"):
        rounded = np.array([float(value) for value in values]).astype(np.float32)
    for value, near in zip(values, rounded, strict=True):
        if not np.isfinite(near) or Fraction(float(near)) != value:
            raise source.error(
                key,
                "a value that stays a float32 number when 0/1 activations become -1/+1",
                f"{float(value)!r} after the conversion",
            )
    return rounded
