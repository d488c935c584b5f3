"""Which pixels a job lets an attack change: a rectangle of the image, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainSerializer, StrictInt, Tag

from bnnray.attacks import Count
from bnnray.errors import JobError

Place = Annotated[StrictInt, Field(ge=0)]


class Rectangle(BaseModel):
    """``mask = {...}``: a part of the image, in pixels from its top left corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: Place
    left: Place
    height: Count
    width: Count


def _form(value: Any) -> str | None:
    if isinstance(value, dict | Rectangle):
        return "[rectangle]"
    return "[file]" if isinstance(value, str | Path) else None


Mask = Annotated[
    Annotated[Rectangle, Tag("[rectangle]")]
    | Annotated[Path, PlainSerializer(str, return_type=str), Tag("[file]")],
    Discriminator(
        _form,
        custom_error_type="mask",
        custom_error_message="expected a table with top, left, height and width, or a file's path",
    ),
]
"""The tags are in brackets, so that messages leave them out; see :mod:`bnnray.job.load`."""


def masked_pixels(mask: Rectangle | Path | None, shape: tuple[int, ...]) -> frozenset[int] | None:
    """The numbers, in the flat image, of the pixels that may change; None without a mask.

    Args:
        mask: a rectangle, which in a colour image holds every channel, or a file that numpy
            wrote: a boolean array of the image's shape, true where a pixel may change.
        shape: of one image.

    Raises:
        JobError: a mask that leaves the image, is empty, has another shape or type, or a file
            that is missing or no array.
    """
    if mask is None:
        return None
    may = _rectangle(mask, shape) if isinstance(mask, Rectangle) else _read(mask, shape)
    return frozenset(np.flatnonzero(may).tolist())


def _rectangle(mask: Rectangle, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    bottom, right = mask.top + mask.height, mask.left + mask.width
    if bottom > shape[0] or right > shape[1]:
        raise JobError(
            f"threat.mask: expected a rectangle inside the image of {shape[0]} rows and "
            f"{shape[1]} columns; got rows {mask.top} to {bottom - 1} and columns {mask.left} to "
            f"{right - 1}"
        )
    may = np.zeros(shape, dtype=bool)
    may[mask.top : bottom, mask.left : right] = True
    return may


def _read(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    try:
        may = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise JobError(f"threat.mask: no file {path}; numpy.save writes one") from None
    except (OSError, ValueError, EOFError):
        raise JobError(
            f"threat.mask: expected an array that numpy.save wrote; got {path}"
        ) from None
    if not isinstance(may, np.ndarray) or may.dtype != np.bool_ or may.shape != shape:
        got = f"{may.dtype} of shape {may.shape}" if isinstance(may, np.ndarray) else "an archive"
        raise JobError(
            f"threat.mask: expected a boolean array of the image's shape {shape}; {path} has {got}"
        )
    if not may.any():
        raise JobError(f"threat.mask: expected at least one pixel that may change; {path} has none")
    return may
