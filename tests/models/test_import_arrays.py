import contextlib
import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnnray.errors import ModelError
from bnnray.models import import_arrays, import_model
from bnnray.network import Quantizer, Rounding

LEVELS = 3


def arrays(**changes):
    """Two pixels, hidden layers of 3 and 2 units, 2 classes; a change to None drops the key."""
    whole = {
        "W0": np.array([[1, -1], [1, 1], [0, -1]], np.int8),
        "threshold0": np.array([0, 4, -2]),
        "W1": np.array([[1, -1, 1], [0, 1, -1]], np.int8),
        "scale1": np.array([0.5, -0.25], np.float32),
        "shift1": np.array([-0.5, 0.25], np.float32),
        "W2": np.array([[1, -1], [-1, 0]], np.int8),
        "levels": LEVELS,
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "net.npz"
        np.savez(path, **content)
        return path

    return write


def forward(content, numerators):
    """The rational scores of one input, straight from the definition of the keys."""
    is_01 = content.get("activations") == "01"
    depth = sum(key.startswith("W") for key in content) - 1
    values = [Fraction(int(k), int(content["levels"])) for k in numerators]
    for number in range(depth):
        sums = [
            sum((int(w) * x for w, x in zip(row, values, strict=True)), Fraction(0))
            for row in content[f"W{number}"]
        ]
        if f"threshold{number}" in content:
            unit = int(content["levels"]) if number == 0 else 1
            thresholds = content[f"threshold{number}"]
            fires = [a * unit >= int(t) for a, t in zip(sums, thresholds, strict=True)]
        else:
            fires = [
                Fraction(float(s)) * a + Fraction(float(b)) >= 0
                for a, s, b in zip(
                    sums, content[f"scale{number}"], content[f"shift{number}"], strict=True
                )
            ]
        values = [1 if fired else (0 if is_01 else -1) for fired in fires]
    classes = len(content[f"W{depth}"])
    scale = content.get("output_scale", np.ones(classes, np.float32))
    shift = content.get("output_shift", np.zeros(classes, np.float32))
    return [
        Fraction(float(s)) * sum(int(w) * x for w, x in zip(row, values, strict=True))
        + Fraction(float(b))
        for row, s, b in zip(content[f"W{depth}"], scale, shift, strict=True)
    ]


def assert_means(path, content):
    """The imported network gives the defined scores on every input."""
    network = import_arrays(path)
    for numerators in itertools.product(range(LEVELS + 1), repeat=network.pixels):
        scores = network.scores(np.array([numerators]), LEVELS)[0]
        ours = [Fraction(int(s), network.output.denominator) for s in scores]
        assert ours == forward(content, numerators), numerators


FLOATS32 = st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.75, 2.0, 0.1, -0.3, 3e38, 1e-40])


@st.composite
def contents(draw):
    pixels = draw(st.integers(1, 3))
    widths = [pixels, *draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))]
    classes = draw(st.integers(2, 3))
    content = {"levels": LEVELS}

    def integers(low, high, *shape):
        count = int(np.prod(shape))
        values = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
        return np.array(values).reshape(shape)

    def floats(length, values=FLOATS32):
        drawn = draw(st.lists(values, min_size=length, max_size=length))
        return np.array(drawn, dtype=np.float32)

    for number, (inputs, units) in enumerate(itertools.pairwise(widths)):
        content[f"W{number}"] = integers(-1, 1, units, inputs).astype(np.int8)
        if draw(st.booleans()):
            reach = 3 * inputs * LEVELS
            content[f"threshold{number}"] = integers(-reach, reach, units)
        else:
            content[f"scale{number}"] = floats(units)
            content[f"shift{number}"] = floats(units)
    content[f"W{len(widths) - 1}"] = integers(-1, 1, classes, widths[-1]).astype(np.int8)
    if draw(st.booleans()):
        small = st.sampled_from([0.0, 1.0, -0.5, 3.0, 0.125])
        content["output_scale"] = floats(classes, small)
        content["output_shift"] = floats(classes, small)
    activations = draw(st.sampled_from([None, "sign", "01"]))
    return content if activations is None else content | {"activations": activations}


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents())
def test_an_import_means_what_its_keys_say(write, content):
    assert_means(write(content), content)


@pytest.mark.parametrize("activations", ["sign", "01"])
def test_the_example_means_what_its_keys_say(write, activations):
    content = arrays(activations=activations)
    assert_means(write(content), content)


def test_integer_thresholds_are_kept_exactly(write):
    top = 2**24 - 1
    content = arrays(
        threshold0=np.array([top, -top, 7]),
        threshold1=np.array([-top, 3], np.int32),
        scale1=None,
        shift1=None,
    )
    first, second = import_arrays(write(content)).hidden
    assert first.scale.tolist() == [LEVELS] * 3
    assert first.shift.tolist() == [-top, top, -7]
    assert second.scale.tolist() == [1, 1]
    assert second.shift.tolist() == [top, -3]


def test_a_plain_import_keeps_weights_scales_and_shifts(write):
    content = arrays(input_shape=np.array([2, 1]))
    network = import_arrays(write(content))
    assert network.input_shape == (2, 1)
    assert np.array_equal(network.hidden[1].scale, content["scale1"])
    assert np.array_equal(network.hidden[1].shift, content["shift1"])
    assert not network.output.is_affine
    matrices = [*(layer.linear.matrix() for layer in network.hidden)]
    matrices.append(network.output.linear.matrix())
    for number, matrix in enumerate(matrices):
        assert np.array_equal(matrix, content[f"W{number}"])


def test_a_model_says_where_it_came_from(write):
    model = import_model(write(arrays()), dataset="mine")
    assert (model.dataset, model.levels, model.classes) == ("mine", LEVELS, 2)
    assert model.record == {"imported_from": "net.npz"}
    assert import_arrays(write(arrays())).digest == model.digest


F32 = np.float32
REFUSED = {
    "no weights": ({"W0": None, "W1": None, "W2": None}, "'W0'", "no such key"),
    "only one layer": ({"W1": None, "W2": None}, "'W1'", "no such key"),
    "gap": ({"W1": None}, "'W1'", "no such key"),
    "weights int64": ({"W1": np.ones((2, 3), np.int64)}, "'W1'", "int8 of shape .units, 3"),
    "weights flat": ({"W0": np.ones(3, np.int8)}, "'W0'", "shape .3,."),
    "weights empty": ({"W0": np.ones((0, 2), np.int8)}, "'W0'", "shape .0, 2."),
    "weights do not fit": ({"W1": np.ones((2, 4), np.int8)}, "'W1'", "shape .2, 4."),
    "weight of 2": ({"W1": np.full((2, 3), 2, np.int8)}, "'W1'", "a weight of 2"),
    "one class": ({"W2": np.ones((1, 2), np.int8)}, "'W2'", "at least 2 classes"),
    "float threshold": ({"threshold0": np.zeros(3)}, "'threshold0'", "float64"),
    "bool threshold": ({"threshold0": np.zeros(3, bool)}, "'threshold0'", "bool"),
    "few thresholds": ({"threshold0": np.zeros(2, int)}, "'threshold0'", "shape .2,."),
    "large threshold": ({"threshold0": np.full(3, 2**24)}, "'threshold0'", "16777216"),
    "huge threshold": ({"threshold0": np.full(3, 2**63, np.uint64)}, "'threshold0'", "2.*24"),
    "no threshold": ({"threshold0": None}, "'threshold0'", "scale0 and shift0"),
    "both": ({"threshold1": np.zeros(2, int)}, "'threshold1'", "scale1 too"),
    "no shift": ({"shift1": None}, "'shift1'", "no such key"),
    "no scale": ({"scale1": None}, "'scale1'", "no such key"),
    "float64 scale": ({"scale1": np.ones(2)}, "'scale1'", "float64"),
    "scale shape": ({"scale1": np.ones((2, 1), F32)}, "'scale1'", "shape .2, 1."),
    "nan scale": ({"scale1": np.array([1, np.nan], F32)}, "'scale1'", "got nan"),
    "infinite shift": ({"shift1": np.array([1, np.inf], F32)}, "'shift1'", "got inf"),
    "output threshold": ({"threshold2": np.zeros(2, int)}, "'threshold2'", "layers 0 to 1"),
    "output alone": ({"output_scale": np.ones(2, F32)}, "'output_shift'", "no such key"),
    "shift alone": ({"output_shift": np.ones(2, F32)}, "'output_scale'", "no such key"),
    "no levels": ({"levels": None}, "'levels'", "no such key"),
    "levels 0": ({"levels": 0}, "'levels'", "got 0"),
    "levels 2**24": ({"levels": 2**24}, "'levels'", "below 2"),
    "levels float": ({"levels": 255.0}, "'levels'", "float64"),
    "levels list": ({"levels": np.array([255])}, "'levels'", "shape .1,."),
    "shape": ({"input_shape": np.array([3])}, "'input_shape'", "2 pixels"),
    "negative shape": ({"input_shape": np.array([-1, -2])}, "'input_shape'", "2 pixels"),
    "no shape": ({"input_shape": np.array([], int)}, "'input_shape'", "2 pixels"),
    "scalar shape": ({"input_shape": 2}, "'input_shape'", "shape .-1,."),
    "activations": ({"activations": "relu"}, "'activations'", "'relu'"),
    "activations number": ({"activations": 1}, "'activations'", "int64"),
    "unknown": ({"bias0": np.zeros(3)}, "'bias0'", "unknown"),
    "leading zero": ({"W00": np.ones((3, 2), np.int8)}, "'W00'", "unknown"),
    "far away": ({"W9": np.ones((3, 2), np.int8)}, "'W3'", "no such key|int8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_its_key(write, name):
    changes, key, message = REFUSED[name]
    with pytest.raises(ModelError, match=message) as caught:
        import_arrays(write(arrays(**changes)))
    text = str(caught.value)
    assert f"key {key}: expected" in text
    assert "net.npz" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("keys", "quantizer"),
    [
        ({"quantize": 0.5}, Quantizer(2)),
        ({"quantize": "1/6", "rounding": "floor"}, Quantizer(6, Rounding.FLOOR)),
        ({"quantize": np.float32(0.1), "rounding": "nearest"}, Quantizer(10)),
    ],
)
def test_a_quantizer_comes_before_layer_0(write, keys, quantizer):
    """Then thresholds of layer 0 are over its levels."""
    network = import_arrays(write(arrays(**keys)))
    assert network.quantizer == quantizer
    behind = arrays(levels=quantizer.steps)
    for numerators in itertools.product(range(LEVELS + 1), repeat=2):
        levels = quantizer.levels(np.array(numerators), LEVELS)
        scores = network.scores(np.array([numerators]), LEVELS)[0]
        ours = [Fraction(int(s), network.output.denominator) for s in scores]
        assert ours == forward(behind, levels)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"quantize": 0.3}, "1 divided by a whole number"),
        ({"quantize": np.array([0.1])}, "expected a number or a text"),
        ({"quantize": 0.1, "rounding": "up"}, "unknown rounding 'up'"),
        ({"rounding": "floor"}, "beside the key 'quantize'"),
    ],
)
def test_a_wrong_quantizer_is_refused(write, keys, message):
    with pytest.raises(ModelError, match=message) as caught:
        import_arrays(write(arrays(**keys)))
    assert "\n" not in str(caught.value)


def test_a_conversion_that_float32_cannot_hold_is_refused(write):
    changes = {
        "W2": np.array([[1, 1], [-1, 0]], np.int8),
        "output_scale": np.array([1, 1], F32),
        "output_shift": np.array([2.0**-30, 0], F32),
    }
    assert_means(write(arrays(**changes)), arrays(**changes))
    with pytest.raises(ModelError, match=r"'output_shift'.*stays a float32"):
        import_arrays(write(arrays(**changes, activations="01")))
    tiny = changes | {"output_scale": np.array([1e-45, 1], F32)}
    with pytest.raises(ModelError, match=r"'output_scale'.*stays a float32"):
        import_arrays(write(arrays(**tiny, activations="01")))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"PK\x03\x04" * 50])
def test_files_that_are_not_npz(tmp_path, content):
    path = tmp_path / "net.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"not an \.npz file of plain arrays") as caught:
        import_arrays(path)
    assert "\n" not in str(caught.value)


def test_pickled_members_are_refused(write):
    with pytest.raises(ModelError, match=r"not an \.npz file of plain arrays"):
        import_arrays(write(arrays(W0=np.array([{}], dtype=object))))


def test_damaged_and_truncated_files(write):
    path = write(arrays())
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(ModelError):
            import_arrays(path)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(changed)
        with contextlib.suppress(ModelError):  # whatever is wrong, it is a ModelError
            import_arrays(path)


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "net.npy", np.zeros(3))
    with pytest.raises(ModelError, match="of plain arrays"):
        import_arrays(tmp_path / "net.npy")


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        import_arrays(tmp_path / "net.npz")
