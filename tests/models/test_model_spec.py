import dataclasses
import math
import subprocess
import sys

import pytest

from bnnray.errors import UsageError
from bnnray.models import Architecture, Training, training_digest
from bnnray.network import Quantizer


def test_importing_models_does_not_import_torch():
    code = "import sys, bnnray.models; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": (3,), "kind": "mpl"}, "did you mean 'mlp'"),
        ({"hidden": (3,), "output": "afine"}, "did you mean 'affine'"),
        ({"hidden": ()}, "at least one layer"),
        ({"hidden": (100, 0)}, r"\[100, 0\]"),
    ],
)
def test_architecture_refuses(settings, message):
    with pytest.raises(UsageError, match=message):
        Architecture(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": 1, "batch_size": 1}, "batch_size must be at least 2"),
        ({"epochs": 1, "learning_rate": 0.0}, "learning_rate must be positive"),
        ({"epochs": 1, "learning_rate": math.nan}, "learning_rate must be positive"),
        ({"epochs": 1, "decay": 0.0}, "decay must be above 0"),
        ({"epochs": 1, "decay": 1.5}, "decay must be above 0"),
        ({"epochs": 1, "seed": -1}, "seed must be"),
    ],
)
def test_training_refuses(settings, message):
    with pytest.raises(UsageError, match=message):
        Training(**settings)


def test_training_digest_covers_every_setting():
    architecture, training = Architecture(hidden=(10, 10)), Training(epochs=3)
    other = {"epochs": 4, "batch_size": 64, "learning_rate": 0.1, "decay": 0.5, "seed": 1}
    assert set(other) == {field.name for field in dataclasses.fields(Training)}
    digests = [
        training_digest(architecture, training, "a"),
        training_digest(architecture, training, "b"),
        training_digest(Architecture(hidden=(10,)), training, "a"),
        training_digest(Architecture(hidden=(10, 10), output="affine"), training, "a"),
        training_digest(Architecture(hidden=(10, 10), quantizer=Quantizer(10)), training, "a"),
        training_digest(Architecture(hidden=(10, 10), quantizer=Quantizer(9)), training, "a"),
        *(
            training_digest(architecture, dataclasses.replace(training, **{key: value}), "a")
            for key, value in other.items()
        ),
    ]
    assert len(set(digests)) == len(digests)


def test_training_digest_is_the_same_on_every_machine():
    # Changes only with RECIPE_VERSION or the settings: then run folders train again.
    digest = training_digest(Architecture(hidden=(10, 10)), Training(epochs=3), "a")
    again = training_digest(Architecture(hidden=(10, 10)), Training(epochs=3), "a")
    assert digest == again
    assert digest == "a38f56c830a74d9db9facc336fcaa0237aea39519973f26748318d81972a1987"
