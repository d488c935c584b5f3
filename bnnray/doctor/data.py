"""The data sets at hand."""

from __future__ import annotations

from bnnray.doctor.finding import Finding, note, ok, warning
from bnnray.doctor.setting import Setting

DIGITS = "digits"
NAMES = (DIGITS, "mnist", "fashion_mnist", "cifar10", "cifar10_jpeg")


def check_data(name: str, setting: Setting) -> Finding:
    """Where a data set lies; its test images are read and checked as a run does."""
    from bnnray.datasets import data_folders, dataset_folders, load_dataset
    from bnnray.errors import DataError

    if name == DIGITS:
        return ok("come with scikit-learn")
    try:
        found = dataset_folders(name, setting.data_dir)
        if "test" in found:
            load_dataset(name, "test", setting.data_dir)
    except DataError as error:
        path, _, came = str(error).partition(": ")
        return warning(came, path)
    if not found:
        return note(f"not in {' or '.join(map(str, data_folders(setting.data_dir)))}")
    where = ", ".join(dict.fromkeys(map(str, found.values())))
    return ok(where) if len(found) > 1 else note(f"only the {next(iter(found))} images: {where}")
