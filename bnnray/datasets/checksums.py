"""The published files, by the SHA-256 of their content (of the uncompressed content of a .gz)."""

from __future__ import annotations

import hashlib

SHA256: dict[str, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    "cifar10_jpeg": {
        "cifar10_jpeg_train10k.npz": (
            "068ec6795c9da7f1467cefa1bc50bcdc95d742979d9617d37020b0edfea69f1e"
        ),
        "cifar10_jpeg_test.npz": (
            "44f40edb827c615332ebe36a9aacf8ff68e84f50657897dbec54fc4faa283ec1"
        ),
    },
}


def is_published(dataset: str, file: str, content: bytes) -> bool:
    """Whether this is the content of that published file."""
    return hashlib.sha256(content).hexdigest() == SHA256[dataset][file]


def known_as(content: bytes) -> str | None:
    """The published file that has this content, or None."""
    digest = hashlib.sha256(content).hexdigest()
    for dataset, files in SHA256.items():
        for file, known in files.items():
            if digest == known:
                return f"{dataset}'s {file}"
    return None
