"""The figures of a report, one file each: numbers from SQL, and a drawing of the numbers alone."""

from typing import Any

from bnnray.report.figures.cactus import CACTUS
from bnnray.report.figures.curves import ANYTIME
from bnnray.report.figures.flip_rates import FLIP_RATES
from bnnray.report.figures.gallery import GALLERY
from bnnray.report.figures.iprop import STEP_SIZES, WARM_STARTS
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.figures.objectives import OBJECTIVES
from bnnray.report.figures.surrogate import SURROGATE
from bnnray.report.figures.times import TIMES
from bnnray.report.figures.verdicts import VERDICTS

FIGURES: tuple[FigureKind[Any], ...] = (
    FLIP_RATES,
    OBJECTIVES,
    ANYTIME,
    STEP_SIZES,
    WARM_STARTS,
    SURROGATE,
    CACTUS,
    TIMES,
    VERDICTS,
    GALLERY,
)
"""In the order of a report."""

__all__ = ["FIGURES", "FigureKind", "Page"]
