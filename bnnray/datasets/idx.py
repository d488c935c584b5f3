"""The IDX format of MNIST: a big-endian header, then the values in C order."""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np

from bnnray.datasets.dataset import UInt8Array

GZIP_MAGIC = b"\x1f\x8b"
UINT8_MAGIC = b"\x00\x00\x08"
"""An IDX file of uint8 starts so; the next byte is the number of dimensions."""


def uncompressed(content: bytes) -> bytes:
    """The content of a .gz file; any other is returned as it is, whatever the file's name.

    Raises:
        ValueError: a truncated or damaged .gz; the message says which.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise ValueError(f"a truncated .gz of {len(content)} bytes") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"a damaged .gz ({error})") from error


def parse_idx(content: bytes) -> UInt8Array:
    """The array of an uncompressed IDX file, of as many dimensions as its header says.

    Raises:
        ValueError: the content is no whole IDX file of uint8; the message says what it is.
    """
    if not content.startswith(UINT8_MAGIC):
        raise ValueError(f"no IDX file of uint8: {len(content)} bytes that start {content[:4]!r}")
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < start:
        raise ValueError(f"a truncated IDX file: {len(content)} bytes end within the header")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, 4).tolist())
    expected, came = math.prod(shape), len(content) - start
    if came != expected:
        state = "a truncated IDX file" if came < expected else "an IDX file with a foreign end"
        raise ValueError(f"{state}: its header announces {expected} values and {came} follow")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
