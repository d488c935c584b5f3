"""Questions as programs that solvers take: stateless functions, one encoding a file."""

from bnnray.encodings.encoding import Encoding, Wanted
from bnnray.encodings.formula import Formula, Threshold
from bnnray.encodings.intervals import LayerRange, interval_bound, interval_ranges
from bnnray.encodings.linear_model import LinearModel
from bnnray.encodings.paper import PaperEncoding, check_paper_domain, encode_paper
from bnnray.encodings.pixels import PixelVariables
from bnnray.encodings.realise import realise
from bnnray.encodings.satisfiability import Asked, Form, SatEncoding, encode_formula
from bnnray.encodings.targets import (
    HiddenProblem,
    InputProblem,
    Rows,
    encode_hidden,
    encode_input,
)
from bnnray.encodings.tight import TightEncoding, encode_tight

__all__ = [
    "Asked",
    "Encoding",
    "Form",
    "Formula",
    "HiddenProblem",
    "InputProblem",
    "LayerRange",
    "LinearModel",
    "PaperEncoding",
    "PixelVariables",
    "Rows",
    "SatEncoding",
    "Threshold",
    "TightEncoding",
    "Wanted",
    "check_paper_domain",
    "encode_formula",
    "encode_hidden",
    "encode_input",
    "encode_paper",
    "encode_tight",
    "interval_bound",
    "interval_ranges",
    "realise",
]
