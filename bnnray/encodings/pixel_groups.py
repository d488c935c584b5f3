"""Pixels that rows of first-layer weights cannot tell apart, counted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnnray.network import IntArray
from bnnray.threat import Region, Witness


@dataclass(frozen=True, eq=False)
class PixelGroups:
    """Integers that say all that some rows can see of an input.

    Group g counts the levels of its pixels, from their lower ends where the sign is +1, from their
    upper ends where it is -1; every whole number from 0 to ``caps[g]`` can be met. The pixels of a
    group have equal weights times sign in every row, so ``row . x = weights . count + base``.

    Args:
        region: where inputs lie.
        pixels: int64 (pixels that are seen and can change,), those of a group side by side.
        signs: int64, of the same shape.
        starts: int64 (groups,), where each group begins there.
        caps: int64 (groups,).
        weights: int64 (rows, groups).
        base: int64 (rows,).
    """

    region: Region
    pixels: IntArray
    signs: IntArray
    starts: IntArray
    caps: IntArray
    weights: IntArray
    base: IntArray

    @property
    def members(self) -> list[IntArray]:
        """Numbers of the pixels of each group."""
        return [self.pixels[start:end] for start, end in self._ends]

    def witness(self, counts: IntArray) -> Witness:
        """An input with these counts (groups,); only what has to change is changed."""
        levels = self.region.clean.copy()
        for count, (start, end) in zip(counts.tolist(), self._ends, strict=True):
            pixels, signs = self.pixels[start:end], self.signs[start:end]
            low, high = self.region.lower[pixels], self.region.upper[pixels]
            counted = np.where(signs > 0, levels[pixels] - low, high - levels[pixels])
            missing = count - int(counted.sum())
            room = high - low - counted if missing > 0 else counted
            before = np.cumsum(room) - room
            levels[pixels] += signs * np.sign(missing) * np.clip(abs(missing) - before, 0, room)
        return levels

    @property
    def _ends(self) -> list[tuple[int, int]]:
        starts = self.starts.tolist()
        return list(zip(starts, [*starts[1:], len(self.pixels)], strict=True)) if starts else []


def group_pixels(region: Region, rows: IntArray) -> PixelGroups:
    """Groups the pixels of a region for rows (rows, pixels) with weights -1, 0 and +1.

    Where the number of changed pixels is limited, each is a group of its own.
    """
    seen = np.any(rows != 0, axis=0) & (region.upper > region.lower)
    free = np.flatnonzero(seen)
    columns = rows[:, free]
    signs = _first_signs(columns)
    kinds = _kinds(columns * signs, apart=region.max_pixels is not None)
    order = np.argsort(kinds, kind="stable")
    pixels, signs = free[order], signs[order]
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    caps = (region.upper - region.lower)[pixels]
    reversed_ = rows[:, pixels[signs < 0]] @ caps[signs < 0]
    return PixelGroups(
        region=region,
        pixels=pixels,
        signs=signs,
        starts=starts,
        caps=np.add.reduceat(caps, starts) if len(starts) else caps,
        weights=(rows[:, pixels] * signs)[:, starts],
        base=rows @ region.lower + reversed_,
    )


def _first_signs(columns: IntArray) -> IntArray:
    """The first entry of each column that is not 0, (columns,)."""
    if not columns.size:
        return np.zeros(columns.shape[1], dtype=np.int64)
    return columns[np.argmax(columns != 0, axis=0), np.arange(columns.shape[1])]


def _kinds(columns: IntArray, *, apart: bool) -> IntArray:
    """A number for each column; equal columns have equal numbers."""
    if apart or not columns.shape[1]:
        return np.arange(columns.shape[1])
    packed = np.ascontiguousarray(columns.T.astype(np.int8))
    whole = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    kinds: IntArray = np.unique(whole, return_inverse=True)[1]
    return kinds
