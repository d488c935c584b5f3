"""A model as one file, ``NAME.bnn``.

The file is in safetensors format: nothing in it is ever executed. Its metadata has one key,
``bnnray``, a JSON object:

    format        1, or 2 with a quantizer, so that what knows of none refuses it
    input_shape   of one image
    layers        [units, inputs] of each layer, hidden layers first, the output last
    affine        whether the output has a scale and a shift
    quantizer     only with format 2: {"steps": 10, "rounding": "nearest"}
    dataset, levels, record     as in :class:`bnnray.models.Model`
    checksum      SHA-256 over all of the above and the tensors

Tensors of layer i: ``layer{i}.sign``, uint8 (units, ceil(inputs / 8)), a bit per weight (first
weight in the highest bit, 1 for +1); ``layer{i}.nonzero`` alike, only where a weight is 0;
``layer{i}.scale`` and ``layer{i}.shift``, float32 (units,), not in a plain output layer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from bnnray.errors import ModelError
from bnnray.files import write_file
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
)

FORMAT, FORMAT_WITH_QUANTIZER = 1, 2
SUFFIX = ".bnn"
KEY = "bnnray"

Array = npt.NDArray[np.generic]
Tensors = Mapping[str, Array]


def save_model(model: Model, path: Path) -> None:
    """Write a model; the file appears complete or not at all, an older one is replaced.

    Raises:
        StorageError: the file cannot be written.
        ValueError, TypeError: the record is not JSON (not a number counts as such).
    """
    data = _encode(model)
    write_file(path, lambda file: file.write(data))


def load_model(path: Path) -> Model:
    """Read a model and check every part of it.

    Raises:
        ModelError: no such file, or one that is foreign, damaged, altered, or too new.
    """
    text, tensors = _read(path)
    document = _document(path, text)
    if document.get("checksum") != _checksum(document, tensors):
        raise ModelError(
            f"{path} was damaged or altered: its checksum does not fit; "
            "restore it from a copy or train it again"
        )
    try:
        return _decode(document, tensors)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelError(
            f"{path} contradicts itself: {reason}; train or import the model again"
        ) from error


def _read(path: Path) -> tuple[str, dict[str, Array]]:
    """The metadata text and the tensors of a file."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise _foreign(path, "a safetensors file without bnnray's metadata")
            # safe_open knows types that numpy has not; they are foreign too.
            return metadata[KEY], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelError(
            f"no model file {path}; train it, import it, or correct the path"
        ) from error
    except OSError as error:
        raise ModelError(
            f"cannot read the model file {path}: {error.strerror or error}; check the path"
        ) from error
    except (safetensors.SafetensorError, AttributeError, TypeError) as error:
        raise _foreign(path, f"truncated or not safetensors: {_one_line(error)}") from error


def _document(path: Path, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _foreign(path, f"metadata that is not JSON: {_one_line(error)}") from error
    if not isinstance(document, dict):
        raise _foreign(path, "metadata that is not a JSON object")
    if document.get("format") not in (FORMAT, FORMAT_WITH_QUANTIZER):
        raise ModelError(
            f"{path} has model format {document.get('format')!r}; this bnnray reads {FORMAT} and "
            f"{FORMAT_WITH_QUANTIZER}: use the version of bnnray that wrote it"
        )
    return document


def _foreign(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path} is not a bnnray model ({what}); expected a {SUFFIX} file as `bnnray train` and "
        "`bnnray import` write it"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _encode(model: Model) -> bytes:
    network = model.network
    output = network.output
    layers: list[SignLayer | OutputLayer] = [*network.hidden, output]
    document = {
        "format": FORMAT,
        "input_shape": list(network.input_shape),
        "layers": [[layer.linear.units, layer.linear.inputs] for layer in layers],
        "affine": output.is_affine,
        "dataset": model.dataset,
        "levels": model.levels,
        "record": dict(model.record),
    }
    if network.quantizer is not None:
        document |= {
            "format": FORMAT_WITH_QUANTIZER,
            "quantizer": dataclasses.asdict(network.quantizer),
        }
    tensors: dict[str, Array] = {}
    for number, layer in enumerate(layers):
        tensors |= _pack(number, layer.linear.matrix())
        if layer.scale is not None and layer.shift is not None:
            tensors[f"layer{number}.scale"] = np.ascontiguousarray(layer.scale)
            tensors[f"layer{number}.shift"] = np.ascontiguousarray(layer.shift)
    # As a reader will see it: keys that are not text become text in JSON.
    document = json.loads(_canonical(document))
    document["checksum"] = _checksum(document, tensors)
    return safetensors.numpy.save(tensors, {KEY: _canonical(document)})


def _decode(document: Mapping[str, Any], tensors: Tensors) -> Model:
    shapes = [(int(units), int(inputs)) for units, inputs in document["layers"]]
    last = len(shapes) - 1
    used: set[str] = set()
    dense = [Dense(_unpack(tensors, number, shape, used)) for number, shape in enumerate(shapes)]
    hidden = tuple(
        SignLayer(dense[number], *_scale_and_shift(tensors, number, used)) for number in range(last)
    )
    affine = _scale_and_shift(tensors, last, used) if document["affine"] else (None, None)
    if set(tensors) != used:
        raise ModelError(
            f"it has tensors without a place: {', '.join(sorted(set(tensors) - used))}"
        )
    return Model(
        Network(
            tuple(document["input_shape"]),
            hidden,
            OutputLayer(dense[last], *affine),
            _quantizer(document),
        ),
        document["dataset"],
        document["levels"],
        document["record"],
    )


def _quantizer(document: Mapping[str, Any]) -> Quantizer | None:
    if document["format"] == FORMAT:
        if "quantizer" in document:
            raise ModelError("a model of format 1 has no quantizer")
        return None
    found = document["quantizer"]
    return Quantizer(int(found["steps"]), Rounding(found["rounding"]))


def _pack(number: int, weights: Weights) -> dict[str, Array]:
    planes: dict[str, Array] = {f"layer{number}.sign": np.packbits(weights > 0, axis=1)}
    if np.any(weights == 0):
        planes[f"layer{number}.nonzero"] = np.packbits(weights != 0, axis=1)
    return planes


def _unpack(tensors: Tensors, number: int, shape: tuple[int, int], used: set[str]) -> Weights:
    signs = _plane(tensors, f"layer{number}.sign", shape, used)
    weights: Weights = np.where(signs, 1, -1).astype(np.int8)
    if f"layer{number}.nonzero" in tensors:
        weights *= _plane(tensors, f"layer{number}.nonzero", shape, used)
    return weights


def _plane(
    tensors: Tensors, name: str, shape: tuple[int, int], used: set[str]
) -> npt.NDArray[np.bool_]:
    """One bit per weight, (units, inputs)."""
    packed = tensors[name]
    used.add(name)
    units, inputs = shape
    expected = (units, -(-inputs // 8))
    if packed.dtype != np.uint8 or packed.shape != expected:
        raise ModelError(
            f"{name} must be uint8 of shape {expected}; got {packed.dtype} of shape {packed.shape}"
        )
    return np.unpackbits(packed.astype(np.uint8), axis=1, count=inputs).astype(np.bool_)


def _scale_and_shift(
    tensors: Tensors, number: int, used: set[str]
) -> tuple[Float32Array, Float32Array]:
    names = f"layer{number}.scale", f"layer{number}.shift"
    used.update(names)
    scale, shift = (tensors[name] for name in names)
    return scale, shift  # type: ignore[return-value]  # the layer checks the type


def _checksum(document: Mapping[str, Any], tensors: Tensors) -> str:
    covered = {key: value for key, value in document.items() if key != "checksum"}
    h = hashlib.sha256(_canonical(covered).encode())
    for name, array in sorted(tensors.items()):
        h.update(f"{name} {array.dtype.str} {array.shape}".encode())
        h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()


def _canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
