"""Models: training, export to the exact network, storage and import.

Importing this package does not import torch; training and torch inference do, when used.
"""

from bnnray.models.arrays import import_arrays, import_model
from bnnray.models.model import Model
from bnnray.models.spec import (
    Architecture,
    BatchListener,
    BatchRecord,
    EpochListener,
    EpochRecord,
    Training,
    training_digest,
)
from bnnray.models.storage import SUFFIX, load_model, save_model
from bnnray.models.store import accuracy, train_model

__all__ = [
    "SUFFIX",
    "Architecture",
    "BatchListener",
    "BatchRecord",
    "EpochListener",
    "EpochRecord",
    "Model",
    "Training",
    "accuracy",
    "import_arrays",
    "import_model",
    "load_model",
    "save_model",
    "train_model",
    "training_digest",
]
