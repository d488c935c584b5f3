"""The tree of the exact engine against complete enumeration; see hunt.py."""

import pytest
from hunt import difference


@pytest.mark.parametrize("chunk", range(4))
def test_no_small_question_shows_a_difference(chunk):
    for seed in range(chunk * 250, chunk * 250 + 250):
        assert difference(seed) is None, seed
