"""Perturbation budgets as exact fractions."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from bnnray.errors import UsageError

NUMBER = re.compile(r"-?\d{1,30}(/\d{1,30}|(\.\d{0,30})?(e[+-]?\d{1,2})?)", re.IGNORECASE)

LARGEST_DENOMINATOR = 10**12
"""Keeps every sum of a first layer within 64-bit integers."""


def parse_epsilon(value: str | int | float | Decimal | Fraction) -> Fraction:
    """Reads a budget: "8/255", "0.01", 0.01 (a float as the decimal it prints as) or a fraction.

    Raises:
        UsageError: not a number, outside [0, 1], or with more than 12 decimals.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | Fraction):
        raise _bad(value, "a number")
    text = str(value).replace(" ", "")
    if not NUMBER.fullmatch(text):
        raise _bad(value, "a number")
    try:
        epsilon = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise _bad(value, "a number") from None
    if not 0 <= epsilon <= 1:
        raise _bad(value, "a number from 0 to 1")
    if epsilon.denominator > LARGEST_DENOMINATOR:
        raise _bad(value, "a number of at most 12 decimals")
    return epsilon


def format_epsilon(epsilon: Fraction) -> str:
    """A short text that :func:`parse_epsilon` reads back: "0.01" or "8/255"."""
    decimal = f"{float(epsilon):.12g}"
    if "e" not in decimal and Fraction(decimal) == epsilon:
        return decimal
    if 255 % epsilon.denominator == 0:
        return f"{epsilon * 255}/255"
    return str(epsilon)


def _bad(value: object, expected: str) -> UsageError:
    return UsageError(f'epsilon must be {expected}, such as 0.01 or "8/255"; got {value!r}')
