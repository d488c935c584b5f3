"""The data sets: labelled images as integers, checked before use."""

from bnnray.datasets.dataset import SPLITS, Dataset, UInt8Array
from bnnray.datasets.folders import ENVIRONMENT_VARIABLE, data_folders
from bnnray.datasets.registry import DATASETS, dataset_folders, load_dataset
from bnnray.datasets.restrict import restrict

__all__ = [
    "DATASETS",
    "ENVIRONMENT_VARIABLE",
    "SPLITS",
    "Dataset",
    "UInt8Array",
    "data_folders",
    "dataset_folders",
    "load_dataset",
    "restrict",
]
