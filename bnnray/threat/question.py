"""One question: can this input be changed within the budget so that the network is fooled?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from bnnray.errors import UsageError
from bnnray.network import IntArray, Network, Quantizer, ScoreArray
from bnnray.threat.levels import check_fineness, level_region, level_threat, nearest_input
from bnnray.threat.objective import Objective, make_objective
from bnnray.threat.region import Region, Witness, make_region
from bnnray.threat.threat import ANY, Against, Threat


@dataclass(frozen=True, eq=False)
class Question:
    """A network, an input and a threat.

    Args:
        network: the exact network.
        pixels: int64 of shape (pixels,), the image is pixels / levels.
        levels: what the pixels are over: 255 for images, 16 for digits.
        label: the true class.
        threat: budget and goal.

    Raises:
        UsageError: an image that does not fit the network, a class that it does not have, a mask
            with other pixels than the image's, or a grid coarser than the network's quantizer.
    """

    network: Network
    pixels: IntArray
    levels: int
    label: int
    threat: Threat

    def __post_init__(self) -> None:
        if self.pixels.shape != (self.network.pixels,):
            raise UsageError(
                f"the network takes {self.network.pixels} pixels; the image has shape "
                f"{self.pixels.shape}"
            )
        if np.any((self.pixels < 0) | (self.pixels > self.levels)):
            raise UsageError(f"pixels must be integers from 0 to {self.levels}")
        for what, number in (("label", self.label), ("goal", self.threat.goal.target)):
            if number is not None and not 0 <= number < self.network.classes:
                raise UsageError(
                    f"{what} must be a class from 0 to {self.network.classes - 1}; got {number}"
                )

        check_fineness(self.network.quantizer, self.threat)

    @cached_property
    def region(self) -> Region:
        """The inputs within the budget."""
        outward = self.network.quantizer is not None
        return make_region(self.pixels, self.levels, self.threat, outward=outward)

    @cached_property
    def searched(self) -> Question:
        """What attacks search: behind a quantizer the question of its levels, else this one."""
        quantizer = self.network.quantizer
        return self if quantizer is None else make_level_question(self, quantizer)

    def input_of(self, witness: Witness) -> Witness:
        """The input that a witness of this question stands for: before a quantizer, if it is
        one of levels behind it."""
        return witness

    @cached_property
    def clean_scores(self) -> ScoreArray:
        """Integer scores (classes,) of the unperturbed input."""
        return self.network.scores(self.pixels[None, :], self.levels)[0]

    @property
    def predicted(self) -> int:
        """The class of the unperturbed input; ties go to the lowest."""
        return int(np.argmax(self.clean_scores))

    @property
    def attacked(self) -> int:
        """The class whose score the attack wants to see beaten."""
        return self.label if self.threat.against is Against.LABEL else self.predicted

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """The classes that count as success, by falling clean score, ties by rising class.

        Empty where the goal names the attacked class itself.
        """
        order = sorted(range(self.network.classes), key=lambda c: (-self.clean_scores[c], c))
        others = tuple(c for c in order if c != self.attacked)
        goal = self.threat.goal
        if goal.name == ANY:
            return others
        if goal.target is not None:
            return tuple(c for c in others if c == goal.target)
        return others[:1]

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """One objective for each of :attr:`targets`."""
        return tuple(make_objective(self.network, t, self.attacked) for t in self.targets)

    @cached_property
    def maximum(self) -> Fraction:
        """The largest objective over all activations of the last hidden layer."""
        return max(o.maximum for o in self.objectives)

    @cached_property
    def clean_objective(self) -> Fraction:
        """The objective of the unperturbed input."""
        return self.objective_of(self.clean_scores)

    def best_target(self, scores: ScoreArray) -> int:
        """The target with the largest objective, from integer scores (classes,)."""
        return max(self.objectives, key=lambda o: o.of_scores(scores)).target

    def objective_of(self, scores: ScoreArray) -> Fraction:
        """The largest objective over the targets, from integer scores (classes,)."""
        return max(o.of_scores(scores) for o in self.objectives)


@dataclass(frozen=True, eq=False)
class LevelQuestion(Question):
    """What a question asks of its network behind the quantizer: one on a grid, that of the levels.

    Its witnesses are levels, and each stands for an input of the question that was asked.

    Args:
        asked: the question of the whole network.
        quantizer: of that network.
    """

    asked: Question
    quantizer: Quantizer

    @cached_property
    def region(self) -> Region:
        """The levels within the budget, over the quantizer's steps."""
        return level_region(self.asked.region, self.quantizer)

    def input_of(self, witness: Witness) -> Witness:
        """The input nearest to the clean one, pixel by pixel, that has these levels."""
        return nearest_input(self.asked.region, self.quantizer, witness.astype(np.int64))


def make_level_question(asked: Question, quantizer: Quantizer) -> LevelQuestion:
    """The question of the levels of a network's quantizer."""
    return LevelQuestion(
        network=asked.network.behind_quantizer,
        pixels=quantizer.levels(asked.pixels, asked.levels),
        levels=quantizer.steps,
        label=asked.label,
        threat=level_threat(asked.threat, quantizer),
        asked=asked,
        quantizer=quantizer,
    )
