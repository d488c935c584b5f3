"""The exact network."""

from bnnray.network.layers import (
    SAFE_INT64,
    Float32Array,
    OutputLayer,
    ScoreArray,
    SignLayer,
)
from bnnray.network.linear import Dense, IntArray, Linear, Weights
from bnnray.network.network import Network
from bnnray.network.quantizer import LARGEST_STEPS, Quantizer, Rounding, make_quantizer

__all__ = [
    "LARGEST_STEPS",
    "SAFE_INT64",
    "Dense",
    "Float32Array",
    "IntArray",
    "Linear",
    "Network",
    "OutputLayer",
    "Quantizer",
    "Rounding",
    "ScoreArray",
    "SignLayer",
    "Weights",
    "make_quantizer",
]
