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

__all__ = [
    "SAFE_INT64",
    "Dense",
    "Float32Array",
    "IntArray",
    "Linear",
    "Network",
    "OutputLayer",
    "ScoreArray",
    "SignLayer",
    "Weights",
]
