"""The exact network."""

from bnnray.network.layers import Float32Array, OutputLayer, ScoreArray, SignLayer
from bnnray.network.linear import Dense, IntArray, Linear, Weights
from bnnray.network.network import Network

__all__ = [
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
