"""What may be counted together."""

from __future__ import annotations

from dataclasses import dataclass

from bnnray.threat import ANY, RUNNER_UP


@dataclass(frozen=True)
class Scope:
    """What rows must have in common to be counted together: never box with grid.

    Args:
        dataset, split: which images.
        domain, levels: which inputs there are; levels None on the box.
        goal, against, tie: what counts as success.
        mask_pixels, max_pixels: how many pixels may change; None for any.
    """

    dataset: str
    split: str
    domain: str
    levels: int | None
    goal: str
    against: str
    tie: str
    mask_pixels: int | None
    max_pixels: int | None

    @property
    def title(self) -> str:
        """What a reader must know, such as "mnist, box, goal: runner-up"."""
        domain = self.domain if self.levels is None else f"{self.domain} of {self.levels} levels"
        parts = [self._images, domain, f"goal: {self._goal}"]
        parts += ["against the label"] * (self.against == "label")
        parts += ["a tie flips"] * (self.tie == "flip")
        parts += [f"mask of {self.mask_pixels} pixels"] * (self.mask_pixels is not None)
        parts += [f"at most {self.max_pixels} pixels"] * (self.max_pixels is not None)
        return ", ".join(parts)

    @property
    def _images(self) -> str:
        return self.dataset if self.split == "test" else f"{self.dataset} {self.split}"

    @property
    def _goal(self) -> str:
        return self.goal if self.goal in (ANY, RUNNER_UP) else f"class {self.goal}"
