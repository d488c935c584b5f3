import contextlib
import dataclasses
import json
import stat

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import networks

from bnnray.errors import ModelError, StorageError
from bnnray.models import Model, load_model, save_model
from bnnray.models.storage import _checksum
from bnnray.network import Dense, Network, OutputLayer, Quantizer, Rounding, SignLayer

RECORD = {"seed": 0, "loss": [1.25, 0.5], "nested": {"name": "x", "none": None}}


def small_model():
    rng = np.random.default_rng(0)
    hidden = SignLayer(
        Dense(rng.choice([-1, 0, 1], size=(3, 9)).astype(np.int8)),
        rng.normal(size=3).astype(np.float32),
        rng.normal(size=3).astype(np.float32),
    )
    output = OutputLayer(Dense(rng.choice([-1, 1], size=(2, 3)).astype(np.int8)))
    return Model(Network((3, 3), (hidden,), output), "digits", 16, RECORD)


def assert_same(left, right):
    assert left.digest == right.digest
    assert left.network.input_shape == right.network.input_shape
    assert (left.dataset, left.levels, left.classes) == (right.dataset, right.levels, right.classes)
    assert left.record == right.record


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.bnn"
    save_model(small_model(), path)
    return path


def rewrite(path, change, *, seal=True):
    """Write the file again with a change to its metadata and tensors, its checksum made good."""
    with safetensors.safe_open(path, framework="numpy") as opened:
        document = json.loads(opened.metadata()["bnnray"])
        tensors = opened.get_tensors()
    change(document, tensors)
    if seal:
        document["checksum"] = _checksum(document, tensors)
    path.write_bytes(safetensors.numpy.save(tensors, {"bnnray": json.dumps(document)}))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.text(max_size=5), st.integers(1, 2**40))
def test_round_trip(tmp_path, network, dataset, levels):
    model = Model(network, dataset, levels, RECORD)
    save_model(model, tmp_path / "x.bnn")
    loaded = load_model(tmp_path / "x.bnn")
    assert_same(loaded, model)
    for ours, theirs in zip(loaded.network.hidden, network.hidden, strict=True):
        assert np.array_equal(ours.linear.matrix(), theirs.linear.matrix())
        assert ours.scale.tobytes() == theirs.scale.tobytes()
        assert ours.shift.tobytes() == theirs.shift.tobytes()


def test_a_model_is_one_complete_file_that_replaces_the_old(tmp_path):
    path = tmp_path / "x.bnn"
    path.write_bytes(b"old")
    save_model(small_model(), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.bnn"]
    assert_same(load_model(path), small_model())


def test_equal_models_give_equal_bytes(tmp_path):
    save_model(small_model(), tmp_path / "a.bnn")
    save_model(small_model(), tmp_path / "b.bnn")
    assert (tmp_path / "a.bnn").read_bytes() == (tmp_path / "b.bnn").read_bytes()


def test_the_folder_is_made(tmp_path):
    save_model(small_model(), tmp_path / "new" / "x.bnn")
    assert_same(load_model(tmp_path / "new" / "x.bnn"), small_model())


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*x\.bnn") as caught:
        save_model(small_model(), tmp_path / "file" / "x.bnn")
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_model_and_nothing_else(file, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        save_model(small_model(), file)
    assert file.read_bytes() == before
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_record_that_is_not_json_is_refused(tmp_path):
    for record in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises((ValueError, TypeError)):
            save_model(dataclasses.replace(small_model(), record=record), tmp_path / "x.bnn")
    assert list(tmp_path.iterdir()) == []


def test_a_model_file_has_ordinary_permissions(file):
    assert stat.S_IMODE(file.stat().st_mode) & 0o444


def test_no_changed_byte_goes_unnoticed(file):
    """Each byte, one bit flipped: refused, or (padding of the header) nothing has changed."""
    data = file.read_bytes()
    unnoticed = 0
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        file.write_bytes(changed)
        with contextlib.suppress(ModelError):
            assert_same(load_model(file), small_model())
            unnoticed += 1
    assert unnoticed <= 8


def test_no_truncated_file_is_read(file):
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with pytest.raises(ModelError, match=r"not a bnnray model|cannot read"):
            load_model(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda d, t: d.update(dataset="mnist"),
        lambda d, t: d.update(levels=255),
        lambda d, t: d.update(affine=True),
        lambda d, t: d.update(input_shape=[9]),
        lambda d, t: d["record"].update(seed=1),
        lambda d, t: d["record"].update(more=1),
        lambda d, t: d.update(more=1),
        lambda d, t: d.pop("checksum"),
        lambda d, t: t.update({"layer0.sign": ~t["layer0.sign"]}),
        lambda d, t: t.update({"layer0.scale": -t["layer0.scale"]}),
        lambda d, t: t.update({"layer0.shift": t["layer0.shift"].view(np.int32)}),
        lambda d, t: t.update({"layer1.scale": t["layer0.scale"]}),
        lambda d, t: t.pop("layer0.nonzero"),
    ],
)
def test_tampering_is_noticed(file, change):
    rewrite(file, change, seal=False)
    with pytest.raises(ModelError, match="damaged or altered"):
        load_model(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: d.update(layers=[[3, 8], [2, 3]]), r"layer0.sign must be uint8"),
        (lambda d, t: d.update(layers=[[4, 9], [2, 4]]), r"layer0.sign must be uint8"),
        (lambda d, t: d.update(layers=[[3, 9]]), "without a place: layer0.scale, layer0.shift"),
        (lambda d, t: d.update(layers=7), "contradicts itself"),
        (lambda d, t: d.update(input_shape=[3, 4]), "must take 12 inputs"),
        (lambda d, t: d.update(affine=True), "'layer1.scale' is missing"),
        (lambda d, t: d.update(levels=0), "levels must be at least 1"),
        (lambda d, t: d.update(levels="x"), "contradicts itself"),
        (lambda d, t: d.pop("record"), "'record' is missing"),
        (lambda d, t: t.pop("layer1.sign"), "'layer1.sign' is missing"),
        (lambda d, t: t.update(extra=t["layer0.sign"]), "without a place: extra"),
        (
            lambda d, t: t.update({"layer0.scale": t["layer0.scale"].astype(np.float64)}),
            "must be float32",
        ),
        (
            lambda d, t: t.update({"layer0.scale": np.full(3, np.nan, np.float32)}),
            "must be finite",
        ),
    ],
)
def test_contradictions_are_refused(file, change, message):
    rewrite(file, change)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("quantizer", [Quantizer(10), Quantizer(255, Rounding.FLOOR)])
def test_a_quantizer_is_kept_in_a_format_of_its_own(tmp_path, quantizer):
    path, plain = tmp_path / "quantized.bnn", small_model()
    network = dataclasses.replace(plain.network, quantizer=quantizer)
    save_model(dataclasses.replace(plain, network=network), path)
    read = load_model(path)
    assert read.network.quantizer == quantizer
    assert read.digest == network.digest != plain.digest
    with safetensors.safe_open(path, framework="numpy") as opened:
        assert json.loads(opened.metadata()["bnnray"])["format"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: d.update(format=2), "'quantizer' is missing"),
        (lambda d, t: d.update(format=2, quantizer={"steps": 0, "rounding": "floor"}), "got 0"),
        (lambda d, t: d.update(format=2, quantizer={"steps": 9, "rounding": "up"}), "'up'"),
        (lambda d, t: d.update(format=2, quantizer=9), "contradicts itself"),
        (lambda d, t: d.update(quantizer={"steps": 9, "rounding": "floor"}), "format 1"),
    ],
)
def test_contradictions_about_a_quantizer_are_refused(file, change, message):
    rewrite(file, change)
    with pytest.raises(ModelError, match=message):
        load_model(file)


def test_a_newer_format_is_refused(file):
    rewrite(file, lambda d, t: d.update(format=3))
    with pytest.raises(ModelError, match="has model format 3; this bnnray reads 1 and 2"):
        load_model(file)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"PK\x03\x04" * 50])
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "x.bnn"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a bnnray model"):
        load_model(path)


@pytest.mark.parametrize("metadata", [None, {"other": "1"}, {"bnnray": "{"}, {"bnnray": "[]"}])
def test_foreign_safetensors_are_refused(tmp_path, metadata):
    path = tmp_path / "x.bnn"
    safetensors.numpy.save_file({"a": np.zeros(3)}, path, metadata)
    with pytest.raises(ModelError, match="not a bnnray model"):
        load_model(path)


def test_a_type_that_numpy_has_not_is_refused(tmp_path):
    header = (
        b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},"__metadata__":{"bnnray":"{}"}}'
    )
    path = tmp_path / "x.bnn"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ModelError, match=r"x\.bnn"):
        load_model(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path / "x.bnn")


def test_a_folder_is_not_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read|not a bnnray model"):
        load_model(tmp_path)
