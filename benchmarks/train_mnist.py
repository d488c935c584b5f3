"""Train the networks of Khalil et al. 2018 on MNIST and print what they reach.

    BNNRAY_DATA=FOLDER python benchmarks/train_mnist.py [--epochs 15] [--output FOLDER]

Accuracies are of the exact network on the 10,000 test images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bnnray.datasets import load_dataset
from bnnray.models import SUFFIX, Architecture, Training, save_model, train_model

NETWORKS = {
    "2x100": (100,) * 2,
    "2x200": (200,) * 2,
    "2x300": (300,) * 2,
    "2x500": (500,) * 2,
    "3x100": (100,) * 3,
    "5x100": (100,) * 5,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--output", type=Path, help="folder to keep the models in")
    parser.add_argument("names", nargs="*", default=list(NETWORKS), help="such as 2x100")
    options = parser.parse_args()
    train, test = load_dataset("mnist", "train"), load_dataset("mnist", "test")
    print("network  train %  test %  epochs  seconds", flush=True)
    for name in options.names:
        model = train_model(
            Architecture(hidden=NETWORKS[name]), Training(epochs=options.epochs), train, test
        )
        record = model.record
        print(
            f"{name:7}  {100 * record['train_accuracy']:7.2f}  {100 * record['test_accuracy']:6.2f}"
            f"  {options.epochs:6}  {record['seconds']:7.1f}",
            flush=True,
        )
        if options.output:
            save_model(model, options.output / f"mnist_{name}{SUFFIX}")


if __name__ == "__main__":
    main()
