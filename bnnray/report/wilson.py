"""Intervals for rates."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The Wilson score interval of a rate, 95 %, within [0, 1].

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical
    inference; J. Am. Stat. Assoc. 22, 209-212. Unlike the textbook interval it stays inside [0, 1]
    and has a width at rates of 0 and 1 too.

    Args:
        successes: of 0 ... trials.
        trials: without any, the interval is [0, 1].
    """
    if not trials:
        return 0.0, 1.0
    rate, weight = successes / trials, Z95**2 / trials
    middle = (rate + weight / 2) / (1 + weight)
    half = math.sqrt(rate * (1 - rate) / trials + weight / (4 * trials)) * Z95 / (1 + weight)
    if not successes:
        return 0.0, middle + half
    return middle - half, 1.0 if successes == trials else middle + half
