import gzip
import struct

import numpy as np
import pytest

from bnnray.datasets.idx import parse_idx, uncompressed


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28), (300,)])
def test_round_trip(shape):
    array = (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)
    parsed = parse_idx(idx(array))
    assert parsed.dtype == np.uint8
    assert parsed.shape == shape
    assert np.array_equal(parsed, array)


WHOLE = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize("length", range(3, len(WHOLE)))
def test_every_truncation_is_refused(length):
    with pytest.raises(ValueError, match="a truncated IDX file"):
        parse_idx(WHOLE[:length])


@pytest.mark.parametrize("content", [b"", b"\x00\x00", b"<html>", b"\x00\x00\x0d\x01" + b"\0" * 8])
def test_what_is_no_idx_file_of_uint8(content):
    with pytest.raises(ValueError, match=f"no IDX file of uint8: {len(content)} bytes"):
        parse_idx(content)


def test_a_foreign_end_is_refused():
    with pytest.raises(ValueError, match="foreign end: its header announces 6 values and 7"):
        parse_idx(WHOLE + b"!")


def test_a_header_of_huge_sizes_is_only_a_truncated_file():
    with pytest.raises(ValueError, match="truncated"):
        parse_idx(b"\x00\x00\x08\x03" + b"\xff" * 12)


def test_gzip_is_told_by_content():
    assert uncompressed(gzip.compress(WHOLE)) == WHOLE
    assert uncompressed(WHOLE) == WHOLE


def test_every_truncated_gzip_is_refused():
    packed = gzip.compress(WHOLE)
    for length in range(2, len(packed)):
        with pytest.raises(ValueError, match=f"a truncated .gz of {length} bytes"):
            uncompressed(packed[:length])


@pytest.mark.parametrize("place", [2, 12, -6])
def test_a_damaged_gzip_is_refused(place):
    packed = bytearray(gzip.compress(WHOLE))
    packed[place] ^= 0xFF
    with pytest.raises(ValueError, match=r"a damaged \.gz \("):
        uncompressed(bytes(packed))
