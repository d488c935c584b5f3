"""Budgets, goals, questions, and the exact replay of a witness."""

from bnnray.threat.epsilon import LARGEST_DENOMINATOR, format_epsilon, parse_epsilon
from bnnray.threat.levels import check_fineness
from bnnray.threat.objective import Objective, make_objective
from bnnray.threat.question import LevelQuestion, Question
from bnnray.threat.region import FloatArray, Region, Witness, make_region
from bnnray.threat.replay import Replayed, activations, replay
from bnnray.threat.threat import ANY, RUNNER_UP, Against, Domain, Goal, Norm, Threat, Tie

__all__ = [
    "ANY",
    "LARGEST_DENOMINATOR",
    "RUNNER_UP",
    "Against",
    "Domain",
    "FloatArray",
    "Goal",
    "LevelQuestion",
    "Norm",
    "Objective",
    "Question",
    "Region",
    "Replayed",
    "Threat",
    "Tie",
    "Witness",
    "activations",
    "check_fineness",
    "format_epsilon",
    "make_objective",
    "make_region",
    "parse_epsilon",
    "replay",
]
