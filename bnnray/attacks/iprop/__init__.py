"""IProp: integer propagation of targets, layer by layer (Khalil, Gupta and Dilkina 2018)."""

from bnnray.attacks.iprop.attack import Iprop, IpropSettings

__all__ = ["Iprop", "IpropSettings"]
