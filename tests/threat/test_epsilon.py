from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnnray.errors import UsageError
from bnnray.threat import format_epsilon, parse_epsilon


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8/255", Fraction(8, 255)),
        ("0.01", Fraction(1, 100)),
        (0.01, Fraction(1, 100)),
        (1, Fraction(1)),
        (0, Fraction(0)),
        (Decimal("0.005"), Fraction(1, 200)),
        (" 1 / 255 ", Fraction(1, 255)),
        (5e-3, Fraction(1, 200)),
    ],
)
def test_reads_exactly(text, value):
    assert parse_epsilon(text) == value


@pytest.mark.parametrize(
    "bad",
    ["x", "1/0", "", -0.1, 1.5, "nan", float("inf"), True, None, [1], "1e-99999999", "1e99", "0x1"],
)
def test_refuses_what_is_no_budget(bad):
    with pytest.raises(UsageError, match="epsilon must be"):
        parse_epsilon(bad)


def test_refuses_more_digits_than_integers_hold():
    with pytest.raises(UsageError, match="at most 12 decimals"):
        parse_epsilon("0.1234567890123")


@given(st.fractions(0, 1, max_denominator=10**6))
def test_formats_what_it_reads(epsilon):
    assert parse_epsilon(format_epsilon(epsilon)) == epsilon
