"""How many non-ideal units an iteration draws."""

from __future__ import annotations

PATIENCE = 5
"""Iterations in vain after which an adaptive step is halved."""


class StepSize:
    """S of Khalil, Gupta and Dilkina (2018).

    Adaptive: 5 % of the last hidden layer's width, halved (rounded down) after 5 iterations
    without a better incumbent, never below 1, and not raised again. Or constant.

    Args:
        setting: "adaptive" or a number.
        width: units of the last hidden layer.
    """

    def __init__(self, setting: str | int, width: int) -> None:
        self._adaptive = isinstance(setting, str)
        self.value = max(1, width // 20) if isinstance(setting, str) else setting
        self._in_vain = 0

    def after(self, *, improved: bool) -> None:
        """Takes note of how an iteration ended."""
        self._in_vain = 0 if improved else self._in_vain + 1
        if self._adaptive and self._in_vain == PATIENCE:
            self.value = max(1, self.value // 2)
            self._in_vain = 0
